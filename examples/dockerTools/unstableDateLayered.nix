# Made at the time of the build, in layers.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "unstable-date-layered";
  tag = "latest";
  contents = pkgs.writeTextDir "note" "built now\n";
  created = "now";
}
