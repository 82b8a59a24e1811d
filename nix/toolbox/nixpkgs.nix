# The toolbox out of nixpkgs.
{ pkgs }:
let
  python = pkgs.python3Packages;
  source = import ../source.nix;
in
rec {
  inherit (pkgs.stdenv.hostPlatform) system;
  goArch = pkgs.go.GOARCH or (import ./go-arch.nix system);

  lamina = python.buildPythonApplication {
    pname = "lamina";
    inherit (source) version;
    src = source.path;
    pyproject = true;
    nativeBuildInputs = [ python.flit-core ];
    propagatedBuildInputs = [ python.attrs python.python-magic python.zstandard ];
    doCheck = false;
    meta = {
      description = "Layered container images from Nix store paths";
      license = pkgs.lib.licenses.mit;
      mainProgram = "lamina";
    };
  };

  inherit (pkgs) coreutils;
  bash = "${pkgs.bash}/bin/bash";
  skopeo = "${pkgs.skopeo}/bin/skopeo";
  fakeroot = "${pkgs.fakeroot}/bin/fakeroot";
  files = { inherit (pkgs) coreutils shadow; bash = pkgs.bashInteractive or pkgs.bash; };
  cacert = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";

  path = pkgs.lib.makeBinPath (with pkgs; [
    coreutils findutils diffutils gnused gnugrep gawk gnutar gzip bzip2 xz bash file
  ]);
}
