# The toolbox out of nixpkgs. In a package set for another machine (pkgsCross) what runs in derivations is of the machine
# that builds, and what goes into images of the one that they are for.
{ pkgs }:
let
  build = pkgs.buildPackages;
  python = build.python3Packages;
  source = import ../lib/source.nix;
in
rec {
  inherit (pkgs.stdenv.buildPlatform) system;
  goArch = pkgs.go.GOARCH or (import ./go-arch.nix pkgs.stdenv.hostPlatform.system);

  lamina = python.buildPythonApplication {
    pname = "lamina";
    inherit (source) version;
    src = source.path;
    pyproject = true;
    nativeBuildInputs = [ python.hatchling ];
    propagatedBuildInputs = [ python.attrs python.python-magic python.zstandard ];
    doCheck = false;
    meta = {
      description = "Layered container images from Nix store paths";
      license = pkgs.lib.licenses.mit;
      mainProgram = "lamina";
    };
  };

  inherit (pkgs) runCommand;
  inherit (build) coreutils;
  bash = "${build.bash}/bin/bash";
  skopeo = "${build.skopeo}/bin/skopeo";
  fakeroot = "${build.fakeroot}/bin/fakeroot";
  files = { inherit (pkgs) coreutils shadow; bash = pkgs.bashInteractive or pkgs.bash; };
  cacert = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";

  path = pkgs.lib.makeBinPath (with build; [
    coreutils findutils diffutils gnused gnugrep gawk gnutar gzip bzip2 xz build.bash file
  ]);
}
