# A shell to look around with. The programs of busybox are copied to the root of the image.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "busybox";
  tag = "latest";
  copyToRoot = pkgs.busybox;
  config = {
    Cmd = [ "/bin/sh" ];
    Env = [ "PATH=/bin" ];
  };
}
