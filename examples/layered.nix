# A web application in layers: what it stands on keeps its layers, and the application has one of its own on top.
{ pkgs, lamina, ... }:
let
  application = pkgs.writeShellScriptBin "greet" ''
    ${pkgs.coreutils}/bin/cat /motd
    exec ${pkgs.hello}/bin/hello
  '';
in
lamina.buildLayeredImage {
  name = "layered";
  tag = "latest";
  contents = [ application (pkgs.writeTextDir "motd" "in layers\n") ];
  volatile = [ application ];
  maxLayers = 6;
  config.Cmd = [ "/bin/greet" ];
}
