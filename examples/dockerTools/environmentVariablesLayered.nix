# Env of the base is kept; variables that are set again replace the base's.
{ dockerTools, examples, ... }:
dockerTools.buildLayeredImage {
  name = "child-layered";
  tag = "latest";
  fromImage = examples.environmentVariablesParent;
  config.Env = [ "OF_THE_CHILD=1" "OF_BOTH=child" ];
}
