# Env is the base's, and what is set again replaces what was set there.
{ dockerTools, examples, ... }:
dockerTools.buildLayeredImage {
  name = "child-layered";
  tag = "latest";
  fromImage = examples.environmentVariablesParent;
  config.Env = [ "OF_THE_CHILD=1" "OF_BOTH=child" ];
}
