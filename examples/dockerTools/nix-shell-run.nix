# A command in a shell that is not interactive.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-run";
  tag = "latest";
  drv = pkgs.mkShell { };
  run = ''
    if [[ $- == *i* ]]; then echo "for people"; else echo "for programs"; fi
  '';
}
