# An archive that zstd compressed.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-layered-zstd";
  tag = "latest";
  compressor = "zstd";
  contents = pkgs.bashInteractive;
}
