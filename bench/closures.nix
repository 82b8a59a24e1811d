# The closures that bench/closures.py downloaded: one store path for each package, unpacked as it is. They are there to
# be read, not to be run.
let
  lamina = import ../. { };
  inherit (lamina) pkgs;
  state = ../.state/bench;
  told = builtins.fromJSON (builtins.readFile (state + "/closures.json"));
  plain = builtins.replaceStrings [ "~" ":" ] [ "-" "-" ];

  # `release` of the package `changed` is what differs from one image to the next, as after an update.
  packagesWith = changed: release:
    let
      packages = builtins.mapAttrs (name: package: derivation (unpacked name package packages // (
        if name == changed then { inherit release; } else { }
      ))) told.packages;
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
in
{
  inherit lamina;

  # An application of one's own on top of a closure: `edit` is what changes from one release to the next.
  image = { closure ? "large", edit ? "1", name ? "bench", changed ? "" }:
    let
      packages = packagesWith changed edit;
      application = pkgs.writeShellScriptBin "app" ''
        # ${toString (map (root: packages.${root}) told.roots.${closure})}
        exec ${pkgs.coreutils}/bin/echo release ${edit}
      '';
    in
    lamina.streamLayeredImage {
      inherit name;
      tag = "latest";
      contents = application;
      volatile = [ application ];
      config.Cmd = [ "/bin/app" ];
    };
}
