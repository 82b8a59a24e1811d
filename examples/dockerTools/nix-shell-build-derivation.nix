# The derivation is built in the image, by a user who is not root.
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
