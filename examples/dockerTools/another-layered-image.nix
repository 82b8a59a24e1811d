# An image that shares layers with `layered-image`: a daemon that has one needs few layers of the other.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "another-layered-image";
  tag = "latest";
  contents = [ pkgs.bash pkgs.coreutils ];
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
