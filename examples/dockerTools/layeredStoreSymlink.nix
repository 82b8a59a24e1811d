# A store path that is a symlink to another store path.
{ pkgs, dockerTools, ... }:
let
  directory = pkgs.writeTextDir "share/note" "behind a link\n";
  link = pkgs.runCommand "link-to-a-directory" { } "ln -s ${directory} $out";
in
dockerTools.buildLayeredImage {
  name = "layered-store-symlink";
  tag = "latest";
  contents = [ pkgs.busybox link ];
  passthru = { inherit link; };
}
