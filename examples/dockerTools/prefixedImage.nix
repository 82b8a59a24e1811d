# The registry is a part of the name.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "registry-1.docker.io/image";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
