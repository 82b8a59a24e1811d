# Env of the base is kept; variables that are set again replace the base's.
{ dockerTools, examples, ... }:
dockerTools.buildImage {
  name = "child";
  tag = "latest";
  fromImage = examples.environmentVariablesParent;
  config.Env = [ "OF_THE_CHILD=1" "OF_BOTH=child" ];
}
