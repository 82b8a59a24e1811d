# A layered image with the smallest number of layers.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "two-layered-image";
  tag = "latest";
  contents = [ pkgs.bash pkgs.hello ];
  config.Cmd = [ "/bin/hello" ];
  maxLayers = 2;
}
