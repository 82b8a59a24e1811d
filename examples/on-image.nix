# An image on an image: what the base says about Env and Labels is kept, and its Cmd is replaced.
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
