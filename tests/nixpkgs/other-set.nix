# A package set with the code of another nixpkgs (its stdenv, trivial builders and dockerTools), and the host's programs:
# what that set's own packages would be cannot be built without a network.
#
#   nixpkgs     a checkout
#   host        nix/host, with the programs that dockerTools needs besides those of Lamina
#   lamina      the command, as a package, for Lamina's derivations
{ nixpkgs, host, lamina }:
let
  programs = import host { };
  bash = "${programs.bash}/bin/bash";

  # Nix before 2.9 gives the names that these files have outside of the sandbox.
  shell = "${programs.writeScript "shell" ''
    #!${bash}
    for each in SH JSON; do
      name=NIX_ATTRS_''${each}_FILE file=$NIX_BUILD_TOP/.attrs.''${each,,}
      [[ ! -e $file || -e ''${!name:-} ]] || export "$name=$file"
    done
    # Without build users, the only owner that there is in the sandbox is the builder's.
    export FAKEROOTDONTTRYCHOWN=1
    exec ${bash} "$@"
  ''}";

  initialPath = with programs; [
    coreutils findutils diffutils gnused gnugrep gawk gnutar gzip bzip2 xz gnumake patch programs.bash
  ];

  stage = { lib, localSystem, config, overlays, ... }: [
    (_: {
      inherit config overlays;
      stdenv = import (nixpkgs + "/stdenv/generic") {
        name = "stdenv-host-programs";
        inherit config initialPath shell;
        buildPlatform = localSystem;
        hostPlatform = localSystem;
        targetPlatform = localSystem;
        cc = null;
        fetchurlBoot = null;
      };
    })
  ];

  # Programs of the host, under the names of packages.
  replaced = final: prev: removeAttrs programs own // {
    bashNonInteractive = programs.bash;
    runtimeShell = bash;
    runtimeShellPackage = programs.bash;
    python3Packages = {
      buildPythonApplication = _: lamina;
      attrs = null;
      hatchling = null;
      python-magic = null;
      zstandard = null;
    };
    go = { GOARCH = "amd64"; };
    # Only for a checksum that nothing reads.
    tarsum = programs.writeShellScriptBin "tarsum" "sha256sum | cut -d' ' -f1";
    # Its own is a Perl program with modules.
    inherit (programs) buildEnv;
    buildPackages = final;
    writers = prev.writers // {
      writePython3 = name: _: source: programs.runCommand name { } ''
        { echo '#!${programs.python3}/bin/python3'; cat ${source}; } > $out
        chmod +x $out
      '';
    };
  };
  # What the set itself has, and the host set writes in a simpler form.
  own = [ "distribution" "isHostPackageSet" "lib" "system" ] ++ builtins.attrNames (import (host + "/builders.nix") {
    inherit (programs) lib system;
    bootstrap = null;
    pkgs = programs;
  });
in
import nixpkgs {
  config = { };
  overlays = [ replaced ];
  stdenvStages = stage;
}
