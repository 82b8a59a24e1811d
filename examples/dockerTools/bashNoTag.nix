# Without a tag. The attribute `imageTag` contains the tag that the image gets.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash-no-tag";
  copyToRoot = pkgs.bashInteractive;
}
