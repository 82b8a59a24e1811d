# Created at the time of the build, so each build gives another image.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "unstable-date";
  tag = "latest";
  copyToRoot = pkgs.writeTextDir "note" "built now\n";
  created = "now";
}
