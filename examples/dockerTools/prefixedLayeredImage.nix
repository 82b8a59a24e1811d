# The registry is a part of the name, in layers too.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "registry.example/layered-image";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
