# An archive that is compressed with zstd.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash-zstd";
  tag = "latest";
  compressor = "zstd";
  copyToRoot = pkgs.bashInteractive;
}
