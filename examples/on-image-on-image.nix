# An image on an image on an image. It adds the store path of hello; the base already contains busybox.
{ pkgs, lamina, examples, ... }:
lamina.buildImage {
  name = "on-image-on-image";
  tag = "latest";
  fromImage = examples.onImage;
  config = {
    Cmd = [ "/bin/sh" "-c" "cat /etc/greeting && echo $SECOND $THIRD && ${pkgs.hello}/bin/hello" ];
    Env = [ "THIRD=too" ];
  };
}
