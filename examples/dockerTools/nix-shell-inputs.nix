# The derivation's inputs are on PATH.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-inputs";
  tag = "latest";
  drv = pkgs.mkShell { nativeBuildInputs = [ pkgs.hello ]; };
  command = "hello";
}
