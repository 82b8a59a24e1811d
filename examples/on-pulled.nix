# A program on a base from a registry. The files and the environment of the base are kept.
{ pkgs, lamina, pulled, ... }:
lamina.buildImage {
  name = "on-pulled";
  tag = "latest";
  fromImage = lamina.pullImage pulled;
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
