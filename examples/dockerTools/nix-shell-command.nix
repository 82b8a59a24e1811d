# A command in a shell that somebody could type into.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-command";
  tag = "latest";
  drv = pkgs.mkShell { };
  command = ''
    if [[ $- == *i* ]]; then echo "for people"; else echo "for programs"; fi
  '';
}
