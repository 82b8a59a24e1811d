# Without a tag, the tag is a hash of the inputs. The attribute `noTag.imageTag` contains it.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "no-tag";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
