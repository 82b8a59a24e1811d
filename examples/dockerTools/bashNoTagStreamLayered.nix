# Without a tag: the attribute `imageTag` tells which the image gets.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "bash-no-tag-stream-layered";
  contents = pkgs.bashInteractive;
}
