# A small package set made of the distribution's own packages, under nixpkgs' names, for machines that have
# no nixpkgs. `make setup` fetches the packages; here each becomes a store path with real references.
{ state ? ../../.state/host
, system ? builtins.currentSystem
}:
let
  settings = builtins.fromTOML (builtins.readFile ./packages.toml);

  fetched =
    if builtins.pathExists (state + "/packages.json")
    then (builtins.fromJSON (builtins.readFile (state + "/packages.json"))).packages
    else throw "${toString state}: the host packages are not there; run `make setup`";

  deb = { file, sha256, ... }: builtins.path {
    # The distribution's file names contain characters that a store path's name must not contain.
    name = builtins.replaceStrings [ "~" ] [ "-" ] file;
    path = state + "/debs/${file}";
    recursive = false;
    inherit sha256;
  };

  bootstrap = import ./bootstrap.nix {
    inherit system;
    busybox = builtins.path { name = "bootstrap-busybox"; path = state + "/bootstrap"; };
    debs = lib.concatMap
      (name: map deb (lib.filter (file: file.package == name) fetched.${settings.merge.${name} or name}.debs))
      settings.bootstrap.packages;
  };

  package = import ./package.nix { inherit bootstrap settings system deb; };

  # Every distribution package, under the distribution's name.
  distribution = builtins.mapAttrs
    (name: { version, debs, depends }: package name {
      inherit version debs;
      dependencies = lib.genAttrs depends (dependency: distribution.${dependency});
    })
    fetched;

  named = builtins.mapAttrs (_: name: distribution.${name}) settings.attributes;

  lib = import ./lib.nix;

  builders = import ./builders.nix { inherit lib system bootstrap; pkgs = named; };
  inherit (builders) runCommand;

  # These consist of several distribution packages, or need another layout.
  composed = {
    inherit (distribution) fakeroot;

    busybox = runCommand "busybox-${distribution.busybox-static.version}" { meta.mainProgram = "busybox"; } ''
      mkdir -p $out/bin
      cp ${distribution.busybox-static}/bin/busybox $out/bin
      for applet in $($out/bin/busybox --list); do
        [ -e "$out/bin/$applet" ] || ln -s busybox "$out/bin/$applet"
      done
    '';

    cacert = runCommand "cacert-${distribution.ca-certificates.version}" { } ''
      mkdir -p $out/etc/ssl/certs
      cat ${distribution.ca-certificates}/share/ca-certificates/mozilla/*.crt > $out/etc/ssl/certs/ca-bundle.crt
    '';

    # libmagic looks for its database in a directory that is compiled in.
    file = builders.writeShellScriptBin "file" ''
      MAGIC=''${MAGIC-${distribution.libmagic-mgc}/lib/file/magic.mgc} exec ${distribution.file}/bin/file "$@"
    '';

    python3 = import ./python.nix { inherit lib settings distribution; inherit (builders) farm; };
  };
in
named // composed // builders // {
  inherit lib system distribution;
  # How to distinguish this set from nixpkgs, which has a `distribution` too.
  isHostPackageSet = true;
  bashInteractive = named.bash;
  runtimeShell = "${named.bash}/bin/bash";
}
