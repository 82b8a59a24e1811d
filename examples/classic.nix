# An archive in the form of docker save 1.10 to 24, for tools that do not read links.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "classic";
  tag = "latest";
  format = "classic";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
