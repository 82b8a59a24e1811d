# An image on an image on an image. The store path of hello goes into this one, that of busybox is there already.
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
