# A name with a registry, for a layered image.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "registry.example/layered-image";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
