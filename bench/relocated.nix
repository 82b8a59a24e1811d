# The large closure with real references: the packages that bench/closures.py downloaded, relocated as the host package
# set relocates its own (nix/host/relocate.py). `release` is written into libc, which renames every path above it.
{ release ? "1", closure ? "large" }:
let
  lamina = import ../. { };
  inherit (lamina.pkgs) lib system;
  state = ../.state;
  described = builtins.fromJSON (builtins.readFile (state + "/bench/closures.json"));
  fetched = (builtins.fromJSON (builtins.readFile (state + "/host/packages.json"))).packages;
  settings = builtins.fromTOML (builtins.readFile ../nix/host/packages.toml);
  plain = builtins.replaceStrings [ "~" ":" ] [ "-" "-" ];
  deb = file: builtins.path { name = plain (baseNameOf file); path = file; };

  bootstrap = import ../nix/host/bootstrap.nix {
    inherit system;
    busybox = builtins.path { name = "bootstrap-busybox"; path = state + "/host/bootstrap"; };
    debs = lib.concatMap
      (name: map ({ file, ... }: deb (state + "/host/debs/${file}"))
        (lib.filter (file: file.package == name) fetched.${settings.merge.${name} or name}.debs))
      settings.bootstrap.packages;
  };

  # Beside the module that it imports.
  script = "${scripts}/bench/relocated.py";
  scripts = builtins.path { name = "scripts"; path = ../.; filter = path: _: builtins.elem path wanted; };
  wanted = map toString [ ../bench ../bench/relocated.py ../nix ../nix/host ../nix/host/relocate.py ];

  packages = builtins.mapAttrs (name: { file, version, depends }:
    bootstrap.build (plain "${name}-${version}") script {
      inherit (bootstrap) patchelf;
      debs = [ (deb (state + "/bench/debs/${file}")) ];
      dependencies = lib.genAttrs depends (dependency: packages.${dependency});
      multiarch = "${system}-gnu";
      release = if name == "libc6" then release else "";
    }) described.packages;
in
map (root: packages.${root}) described.roots.${closure}
