# The tools that relocate packages: the distribution's Python and patchelf, unpacked but not relocated.
# Their programs only start through the dynamic loader.
{ system, busybox, debs }:
let
  loader = { x86_64-linux = "ld-linux-x86-64.so.2"; aarch64-linux = "ld-linux-aarch64.so.1"; }.${system};
  multiarch = "${system}-gnu";

  tree = derivation {
    name = "host-bootstrap";
    inherit system debs multiarch loader;
    builder = "${busybox}/bin/busybox";
    args = [ "sh" "-euc" ''
      bb=$0
      $bb mkdir tools "$out"
      $bb --install -s tools
      export PATH=$PWD/tools
      cd "$out"
      for deb in $debs; do
        ar p "$deb" data.tar.xz | xzcat | tar -x
      done
      rm -rf usr/share usr/lib/*/gconv
      cp -L lib/"$multiarch"/"$loader" loader
      # Relocating a package takes a moment longer without.
      PYTHONHOME=$out/usr PYTHONHASHSEED=0 \
        ./loader --library-path "lib/$multiarch:usr/lib/$multiarch" usr/bin/python3.11 \
        -m compileall -q --invalidation-mode unchecked-hash usr/lib/python3.11
    '' "${busybox}/bin/busybox" ];
  };

  loaded = program: [ "${tree}/loader" "--library-path" "${tree}/lib/${multiarch}:${tree}/usr/lib/${multiarch}" "${tree}/usr/bin/${program}" ];
in
rec {
  patchelf = loaded "patchelf";
  python = loaded "python3.11";

  # The environment of a Python script; `spec` contains its arguments.
  environment = spec: {
    spec = builtins.toJSON spec;
    passAsFile = [ "spec" ];
    PYTHONHOME = "${tree}/usr";
    # Otherwise the order of constants in compiled modules is random.
    PYTHONHASHSEED = "0";
  };

  # A derivation whose builder is a Python script.
  build = name: script: spec: derivation ({
    inherit name system;
    builder = builtins.head python;
    args = builtins.tail python ++ [ script ];
  } // environment spec);
}
