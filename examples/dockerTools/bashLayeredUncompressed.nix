# An uncompressed archive.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-layered-uncompressed";
  tag = "latest";
  compressor = "none";
  contents = pkgs.bashInteractive;
}
