# An uncompressed archive.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash-uncompressed";
  tag = "latest";
  compressor = "none";
  copyToRoot = pkgs.bashInteractive;
}
