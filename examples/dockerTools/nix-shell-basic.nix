# The environment in which a package is built, with a program that builds it.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-basic";
  tag = "latest";
  drv = pkgs.hello;
}
