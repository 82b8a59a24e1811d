# As few layers as a layered image can have.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "two-layered-image";
  tag = "latest";
  contents = [ pkgs.bash pkgs.hello ];
  config.Cmd = [ "/bin/hello" ];
  maxLayers = 2;
}
