# Store paths in layers of their own, and on top a file that a script creates.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "layered-image";
  tag = "latest";
  extraCommands = "echo done by a script > extraCommands";
  contents = [ pkgs.bash pkgs.coreutils ];
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
