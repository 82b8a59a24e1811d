# An application in layers. Its dependencies keep their layers; the application has the top layer.
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
