# An image with one layer, on a layered image whose store paths it uses.
{ pkgs, dockerTools, examples, ... }:
dockerTools.buildImage {
  name = "layered-on-top";
  tag = "latest";
  fromImage = examples.layered-image;
  extraCommands = "mkdir -m 0777 workshop";
  config = {
    WorkingDir = "/workshop";
    Cmd = [ "/bin/bash" "-c" "echo made here > note && ${pkgs.coreutils}/bin/cat note" ];
  };
}
