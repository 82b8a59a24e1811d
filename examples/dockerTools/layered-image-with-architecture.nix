# The architecture in the config of a layered image is set.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "layered-image-with-architecture";
  tag = "latest";
  architecture = "arm64";
  contents = [ pkgs.bash ./test-dummy ];
}
