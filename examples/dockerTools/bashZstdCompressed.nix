# An archive that zstd compressed.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash-zstd";
  tag = "latest";
  compressor = "zstd";
  copyToRoot = pkgs.bashInteractive;
}
