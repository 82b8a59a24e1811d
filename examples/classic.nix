# The archive as docker save wrote it up to Docker 24, for tools that follow the old specification to the letter.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "classic";
  tag = "latest";
  format = "classic";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
