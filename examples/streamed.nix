# A program that writes the archive of an image: `$(nix-build -A examples.streamed) | docker load`.
{ pkgs, lamina, ... }:
lamina.streamLayeredImage {
  name = "streamed";
  tag = "latest";
  contents = pkgs.hello;
  fakeRootCommands = ''
    mkdir -p home/alice
    chown 1000:1000 home/alice
    chmod 0700 home/alice
  '';
  config.Cmd = [ "/bin/hello" ];
}
