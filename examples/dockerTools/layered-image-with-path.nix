# A path of the checkout at the root of a layered image.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "layered-image-with-path";
  tag = "latest";
  contents = [ pkgs.bash ./test-dummy ];
}
