# An archive that is not compressed.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash-uncompressed";
  tag = "latest";
  compressor = "none";
  copyToRoot = pkgs.bashInteractive;
}
