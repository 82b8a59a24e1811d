# The architecture in the config of the image is set, and is not this machine's.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "build-image-with-architecture";
  tag = "latest";
  architecture = "arm64";
  copyToRoot = [ pkgs.bash ./test-dummy ];
}
