# What lies in a tree of links is linked to from the root.
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
