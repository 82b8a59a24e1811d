# A program on nothing: the image holds hello and what it needs, and not even a shell.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "hello";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
