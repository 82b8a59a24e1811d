# A command in an interactive shell.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-command";
  tag = "latest";
  drv = pkgs.mkShell { };
  command = ''
    if [[ $- == *i* ]]; then echo "for people"; else echo "for programs"; fi
  '';
}
