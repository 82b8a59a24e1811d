# A home directory that does not exist, as in a build.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-nonexistent-home";
  tag = "latest";
  drv = pkgs.mkShell { };
  homeDirectory = "/homeless-shelter";
  run = ''
    account=$(id -un)
    [ "$HOME" = "$(eval "echo ~$account")" ] || { echo "$HOME is not $account's home"; exit 1; }
    [ ! -e "$HOME" ] || { echo "$HOME is there"; exit 1; }
    echo "$account has no home"
  '';
}
