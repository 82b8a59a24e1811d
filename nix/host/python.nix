# The distribution's Python in nixpkgs' shape: an environment, and `withPackages` to make others.
{ lib, farm, settings, distribution }:
let
  inherit (settings.python) packages modules;
  inherit (distribution.${builtins.head packages}) version;
  release = lib.concatStringsSep "." (lib.take 2 (builtins.splitVersion version));

  # A module with the modules that it imports.
  withImported = module: [ module ] ++ lib.concatMap withImported
    (lib.attrValues (lib.filterAttrs (name: _: lib.hasPrefix "python3-" name) module.dependencies));

  pkgs = builtins.mapAttrs (_: name: distribution.${name}) modules;

  environment = name: chosen:
    let
      program = "bin/python${release}";
      result = farm name {
        paths = map (part: distribution.${part}) packages ++ lib.concatMap withImported chosen;
        pathsToLink = [ "/bin" "/lib/python${release}" "/lib/python3" ];
        # The interpreter looks for its library relative to its real path, so it is copied and not linked.
        copy = [ program ];
        links = { "bin/python" = "python${release}"; "bin/python3" = "python${release}"; };
      };
    in
    result // {
      inherit pkgs version;
      pname = "python3";
      pythonVersion = release;
      interpreter = "${result}/${program}";
      sitePackages = "lib/python3/dist-packages";
      withPackages = choose: environment "python3-${version}-env" (choose pkgs);
      meta.mainProgram = "python3";
    };
in
environment "python3-${version}" [ ]
