# A path of the checkout in the root, in layers.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "layered-image-with-path";
  tag = "latest";
  contents = [ pkgs.bash ./test-dummy ];
}
