# An image on an image. Env and Labels of the base are kept; its Cmd is replaced.
{ pkgs, lamina, examples, ... }:
lamina.buildImage {
  name = "on-image";
  tag = "latest";
  fromImage = examples.busybox;
  copyToRoot = pkgs.writeTextDir "etc/greeting" "hello from the second image\n";
  config = {
    Cmd = [ "/bin/cat" "/etc/greeting" ];
    Env = [ "SECOND=yes" ];
    Labels.second = "yes";
  };
}
