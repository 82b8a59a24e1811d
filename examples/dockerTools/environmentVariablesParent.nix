# A base with an environment.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "parent";
  tag = "latest";
  copyToRoot = pkgs.busybox;
  config.Env = [ "PATH=/bin" "OF_THE_PARENT=1" "OF_BOTH=parent" ];
}
