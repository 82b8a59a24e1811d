# The base's layers count: two layers of the base and two more are four.
{ pkgs, dockerTools, examples, ... }:
dockerTools.buildLayeredImage {
  name = "layered-bulk-layer";
  tag = "latest";
  fromImage = examples.two-layered-image;
  contents = [ pkgs.coreutils pkgs.hello pkgs.jq ];
  maxLayers = 4;
}
