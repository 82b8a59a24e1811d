# A static program, copied to the root, that refers to nothing.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "no-store-paths";
  tag = "latest";
  extraCommands = ''
    mkdir bin
    cp ${pkgs.busybox}/bin/busybox bin/busybox
    chmod +w bin/busybox
    ln -s busybox bin/ls
    ln -s busybox bin/find
  '';
  config.Cmd = [ "/bin/ls" "/" ];
}
