# The registry is a part of the name.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "registry.example/image";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
