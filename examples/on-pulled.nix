# A program on a base that Skopeo pulls from a registry, with the base's own files and environment kept.
{ pkgs, lamina, pulled, ... }:
lamina.buildImage {
  name = "on-pulled";
  tag = "latest";
  fromImage = lamina.pullImage pulled;
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
