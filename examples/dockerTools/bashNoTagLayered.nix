# Without a tag: the attribute `imageTag` tells which the image gets.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-no-tag-layered";
  contents = pkgs.bashInteractive;
}
