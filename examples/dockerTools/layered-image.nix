# Store paths in layers of their own, and a file that a script makes on top.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "layered-image";
  tag = "latest";
  extraCommands = "echo done by a script > extraCommands";
  contents = [ pkgs.bash pkgs.coreutils ];
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
