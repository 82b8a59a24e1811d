# A name with a registry.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "registry.example/image";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
