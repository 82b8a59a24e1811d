# A user with a home directory that is writable.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "non-root";
  tag = "latest";
  copyToRoot = [
    pkgs.busybox
    (pkgs.writeTextDir "etc/passwd" "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
    (pkgs.writeTextDir "etc/group" "root:x:0:\nalice:x:1000:\n")
  ];
  extraCommands = "mkdir -p home/alice";
  uid = 1000;
  gid = 1000;
  config = {
    Cmd = [ "/bin/sh" "-c" "id -un && echo written > note && cat note" ];
    Env = [ "PATH=/bin" ];
    User = "alice";
    WorkingDir = "/home/alice";
  };
}
