# Without a tag the image is tagged with a hash of what it is made of: `noTag.imageTag` tells which.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "no-tag";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
