# A script with the image as its root directory, so it can use absolute paths.
{ pkgs, dockerTools, ... }:
dockerTools.streamLayeredImage {
  name = "image-via-fake-chroot";
  tag = "latest";
  enableFakechroot = true;
  fakeRootCommands = ''
    mkdir -p /usr/local/bin
    ln -s ${pkgs.hello}/bin/hello /usr/local/bin/greet
  '';
  config.Cmd = [ "/usr/local/bin/greet" ];
}
