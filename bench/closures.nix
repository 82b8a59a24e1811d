# What is measured on. "small", "medium" and "large" are what bench/closures.py downloaded: one store path for each
# package, unpacked as it is, there to be read and not to be run. "files" is one store path of 200,000 small files,
# "paths" 1,800 small store paths.
let
  lamina = import ../. { };
  inherit (lamina) pkgs;
  state = ../.state/bench;
  described = builtins.fromJSON (builtins.readFile (state + "/closures.json"));
  plain = builtins.replaceStrings [ "~" ":" ] [ "-" "-" ];

  # `release` of the package `changed` is what differs from one image to the next, as after an update.
  packagesWith = changed: release:
    let
      packages = builtins.mapAttrs (name: package: derivation (unpacked name package packages // (
        if name == changed then { inherit release; } else { }
      ))) described.packages;
    in
    packages;

  unpacked = name: { file, version, depends }: packages: {
    name = plain "${name}-${version}";
    inherit (pkgs) system;
    src = builtins.path { name = plain file; path = state + "/debs/${file}"; };
    dependencies = map (dependency: packages.${dependency}) depends;
    builder = "${pkgs.busybox}/bin/sh";
    PATH = "${pkgs.busybox}/bin";
    args = [ "-euc" ''
      mkdir -p $out/nix-support
      cd $out
      ar p $src data.tar.xz | xzcat | tar -xo
      echo $dependencies ''${release-} > nix-support/dependencies
    '' ];
  };

  # 400 directories of 500 files, of 16 to 2,000 bytes.
  files = derivation {
    name = "files";
    inherit (pkgs) system;
    builder = "${pkgs.busybox}/bin/sh";
    PATH = "${pkgs.busybox}/bin";
    args = [ "-euc" ''
      mkdir $out && cd $out
      mkdir $(seq -w 0 399)
      awk 'BEGIN {
        for (text = "0123456789abcde\n"; length(text) < 2000; ) text = text text
        for (i = 0; i < 200000; i++) {
          name = sprintf("%03d/%03d", i / 500, i % 500)
          printf "%s", substr(text, 1, 16 * (1 + i * 37 % 125)) > name
          close(name)
        }
      }'
    '' ];
  };

  # Path `i` refers to those at one half and at two thirds of the way to it. No derivation makes them, since 1,800
  # of these would take minutes.
  paths = builtins.genList (i: builtins.toFile "path-${toString i}" ''
    ${toString i}
    ${if i < 1 then "" else builtins.elemAt paths (i / 2)}
    ${if i < 2 then "" else builtins.elemAt paths (i * 2 / 3)}
  '') 1800;

  contentOf = packages: closure:
    if closure == "files" then [ files ]
    else if closure == "paths" then paths
    else map (root: packages.${root}) described.roots.${closure};

  # An application of one's own on top of a closure: `edit` is what changes from one release to the next.
  applicationOn = closure: edit: changed: pkgs.writeShellScriptBin "app" ''
    # ${toString (contentOf (packagesWith changed edit) closure)}
    exec ${pkgs.coreutils}/bin/echo release ${edit}
  '';
in
{
  inherit lamina;

  image = { closure ? "large", edit ? "1", name ? "bench", changed ? "" }:
    let application = applicationOn closure edit changed;
    in
    lamina.streamLayeredImage {
      inherit name;
      tag = "latest";
      contents = application;
      volatile = [ application ];
      config.Cmd = [ "/bin/app" ];
    };

  # The same store paths in one layer, as `buildImage` has them.
  single = { closure ? "large", edit ? "1", name ? "bench", changed ? "" }:
    lamina.buildImage {
      inherit name;
      tag = "latest";
      config.Cmd = [ "${applicationOn closure edit changed}/bin/app" ];
    };
}
