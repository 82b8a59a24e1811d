# A script with the image as its root directory creates /etc from files in the store, as a system's activation does.
{ pkgs, dockerTools, ... }:
let
  files = pkgs.runCommand "etc" { } ''
    mkdir -p $out/etc
    echo "127.0.0.1 localhost" > $out/etc/hosts.image
    echo "root:x:0:0::/root:/bin/sh" > $out/etc/passwd
  '';
in
dockerTools.streamLayeredImage {
  name = "etc";
  tag = "latest";
  contents = pkgs.busybox;
  enableFakechroot = true;
  fakeRootCommands = ''
    mkdir -p /etc
    for file in ${files}/etc/*; do
      cp "$file" "/etc/''${file##*/}"
    done
    ln -s hosts.image /etc/hosts.again
    chown 12345:12345 /etc/passwd
  '';
  config.Env = [ "PATH=/bin" ];
  config.Cmd = [ "/bin/cat" "/etc/hosts.again" ];
}
