# Names of images have no upper case; one that is written with it is made lower.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "UpperCase";
  tag = "Tag-Keeps-Its-Case";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
