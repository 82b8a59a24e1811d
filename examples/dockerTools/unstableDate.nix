# Made at the time of the build, so another image each time.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "unstable-date";
  tag = "latest";
  copyToRoot = pkgs.writeTextDir "note" "built now\n";
  created = "now";
}
