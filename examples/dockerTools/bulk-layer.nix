# More store paths than layers. No path is left out.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImage {
  name = "bulk-layer";
  tag = "latest";
  contents = [ pkgs.coreutils pkgs.hello pkgs.jq ];
  maxLayers = 2;
}
