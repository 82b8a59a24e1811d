# Files that a script creates, with the modes that it sets. Store paths that they refer to are in the image too.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "scripted";
  tag = "latest";
  copyToRoot = pkgs.busybox;
  extraCommands = ''
    mkdir -m 1777 tmp
    mkdir -p usr/bin
    ln -s ${pkgs.hello}/bin/hello usr/bin/greet
    echo "made by a script" > note
    chmod 0600 note
  '';
  config.Cmd = [ "/bin/sh" "-c" "stat -c '%a %n' /tmp /note && /usr/bin/greet" ];
}
