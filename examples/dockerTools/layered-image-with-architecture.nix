# What processor the image is for can be said, in layers too.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "layered-image-with-architecture";
  tag = "latest";
  architecture = "arm64";
  contents = [ pkgs.bash ./test-dummy ];
}
