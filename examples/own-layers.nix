# Layers of your own: tools that several images share, and files with owners and modes by pattern.
{ pkgs, lamina, ... }:
let
  tools = lamina.buildLayer {
    name = "tools";
    paths = [ pkgs.coreutils ];
  };

  secrets = lamina.buildLayer {
    name = "secrets";
    copyToRoot = pkgs.writeTextDir "etc/app/token" "not so secret\n";
    rules = [{ pattern = "/etc/app/.*"; uid = 1000; gid = 1000; mode = "0400"; }];
  };
in
lamina.buildLayeredImage {
  name = "own-layers";
  tag = "latest";
  layers = [ tools secrets ];
  config.Cmd = [ "${pkgs.coreutils}/bin/stat" "-c" "%u %a %n" "/etc/app/token" ];
}
