# A program and its dependencies. The image contains not even a shell.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "hello";
  tag = "latest";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
