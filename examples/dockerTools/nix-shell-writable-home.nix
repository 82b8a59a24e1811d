# The build directory is the home directory of the user, and is writable.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-writable-home";
  tag = "latest";
  drv = pkgs.mkShell { };
  run = ''
    account=$(id -un)
    [ "$HOME" = "$(eval "echo ~$account")" ] || { echo "$HOME is not $account's home"; exit 1; }
    touch "$HOME/a-file" || exit 1
    echo "$account writes to $HOME"
  '';
}
