# A path of the checkout at the root of the image.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "build-image-with-path";
  tag = "latest";
  copyToRoot = [ pkgs.bash ./test-dummy ];
}
