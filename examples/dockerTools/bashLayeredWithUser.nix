# A user other than root. The store belongs to root, and everybody may read it.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bash-layered-with-user";
  tag = "latest";
  contents = [
    pkgs.bash
    pkgs.coreutils
    (pkgs.writeTextDir "etc/passwd" "root:x:0:0::/root:/bin/bash\nsomebody:x:999:999::/:/bin/bash\n")
    (pkgs.writeTextDir "etc/group" "root:x:0:\nsomebody:x:999:\n")
  ];
}
