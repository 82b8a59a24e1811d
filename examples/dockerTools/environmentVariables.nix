# Env is the base's, and what is set again replaces what was set there.
{ dockerTools, examples, ... }:
dockerTools.buildImage {
  name = "child";
  tag = "latest";
  fromImage = examples.environmentVariablesParent;
  config.Env = [ "OF_THE_CHILD=1" "OF_BOTH=child" ];
}
