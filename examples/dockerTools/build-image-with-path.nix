# A path of the checkout in the root, as it is.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "build-image-with-path";
  tag = "latest";
  copyToRoot = [ pkgs.bash ./test-dummy ];
}
