# Nix with its database, as a program that writes the archive.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "nix-layered-streamed";
  tag = "latest";
  includeNixDB = true;
  contents = [ pkgs.bashInteractive pkgs.coreutils pkgs.nix ];
  config.Env = [ "NIX_PAGER=cat" "USER=nobody" ];
}
