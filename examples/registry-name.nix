# The name says where the image will live: push it without giving it another one.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "registry.example:5000/team/hello";
  tag = "1.0";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
