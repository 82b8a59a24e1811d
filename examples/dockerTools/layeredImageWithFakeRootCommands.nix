# A directory of a user's own, and a link into the store that only a script makes: what it leads to comes along.
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
