# Without a tag: the attribute `imageTag` tells which the image gets.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash-no-tag";
  copyToRoot = pkgs.bashInteractive;
}
