# The root contains symlinks to the files of a tree of links.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "hello";
  tag = "latest";
  contents = [
    (pkgs.buildEnv {
      name = "hello-root";
      paths = [ pkgs.hello ];
    })
  ];
  config.Cmd = [ "hello" ];
  config.Env = [ "PATH=/bin" ];
}
