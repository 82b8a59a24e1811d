# An archive that is not compressed.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-layered-uncompressed";
  tag = "latest";
  compressor = "none";
  contents = pkgs.bashInteractive;
}
