# Without a tag. The attribute `imageTag` contains the tag that the image gets.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-no-tag-layered";
  contents = pkgs.bashInteractive;
}
