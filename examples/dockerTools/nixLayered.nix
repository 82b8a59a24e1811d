# Nix with its database, in layers.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImageWithNixDb {
  name = "nix-layered";
  contents = [ pkgs.bashInteractive pkgs.coreutils pkgs.nix ];
  config.Env = [ "NIX_PAGER=cat" "USER=nobody" ];
}
