# A name with a registry: the image can be pushed under its own name.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "registry.example:5000/team/hello";
  tag = "1.0";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
