# A layered image on a layered image.
{ pkgs, dockerTools, examples, ... }:
dockerTools.buildLayeredImage {
  name = "layered-on-top-layered";
  tag = "latest";
  fromImage = examples.layered-image;
  extraCommands = "mkdir -m 0777 workshop";
  config = {
    WorkingDir = "/workshop";
    Cmd = [ "/bin/bash" "-c" "echo made here > note && ${pkgs.coreutils}/bin/cat note" ];
  };
}
