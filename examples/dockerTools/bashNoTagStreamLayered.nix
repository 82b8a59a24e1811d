# Without a tag. The attribute `imageTag` contains the tag that the image gets.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "bash-no-tag-stream-layered";
  contents = pkgs.bashInteractive;
}
