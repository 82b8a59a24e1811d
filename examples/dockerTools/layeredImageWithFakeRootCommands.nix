# A directory that belongs to a user, and a symlink into the store that only a script creates: its target is in the image.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "layered-image-with-fake-root-commands";
  tag = "latest";
  contents = pkgs.busybox;
  fakeRootCommands = ''
    mkdir -p ./home/alice
    chown 1000:1000 ./home/alice
    ln -s ${pkgs.hello}/bin/hello ./hello
  '';
  config.Env = [ "PATH=/bin" ];
}
