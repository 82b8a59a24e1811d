# Shares what it can with `layered-image`: a daemon that has that one gets few layers of this one.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "another-layered-image";
  tag = "latest";
  contents = [ pkgs.bash pkgs.coreutils ];
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
