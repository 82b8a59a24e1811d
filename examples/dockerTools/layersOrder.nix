# Three images on each other. Each adds a file to the same directory.
{ pkgs, dockerTools, ... }:
let
  on = fromImage: number: dockerTools.buildImage {
    name = "layers-order";
    tag = "latest";
    inherit fromImage;
    copyToRoot = if fromImage == null then pkgs.busybox else null;
    extraCommands = ''
      mkdir -p tmp
      echo layer${number} > tmp/layer${number}
      echo layer${number} > tmp/last
    '';
    config.Env = [ "PATH=/bin" ];
  };
in
on (on (on null "1") "2") "3"
