# A user other than root builds the derivation in the image.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-build-derivation";
  tag = "latest";
  drv = pkgs.hello;
  run = ''
    buildDerivation
    "$out/bin/hello"
  '';
}
