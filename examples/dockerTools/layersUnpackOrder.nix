# A script as root sees the layers below it in the right order.
{ pkgs, dockerTools, ... }:
let
  on = fromImage: letter: dockerTools.buildImage {
    name = "layers-unpack-order-${letter}";
    tag = "latest";
    inherit fromImage;
    copyToRoot = if fromImage == null then pkgs.busybox else null;
    runAsRoot = "printf ${letter} >> /layer-order";
    config.Env = [ "PATH=/bin" ];
  };
in
on (on (on null "a") "b") "c"
