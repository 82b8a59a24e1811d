# What processor the image is for can be said, and is then not this machine's.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "build-image-with-architecture";
  tag = "latest";
  architecture = "arm64";
  copyToRoot = [ pkgs.bash ./test-dummy ];
}
