# A shell to look around with: busybox' programs at the root, as copies.
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
