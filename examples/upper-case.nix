# A name with upper case. Names of images have none, so it becomes lower case.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "UpperCase";
  tag = "Tag-Keeps-Its-Case";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
