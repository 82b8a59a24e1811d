# Created at the time of the build, as a layered image.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "unstable-date-layered";
  tag = "latest";
  contents = pkgs.writeTextDir "note" "built now\n";
  created = "now";
}
