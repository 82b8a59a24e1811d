# An archive that is compressed with zstd.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-layered-zstd";
  tag = "latest";
  compressor = "zstd";
  contents = pkgs.bashInteractive;
}
