# A script as root, in an image on an image.
{ dockerTools, examples, ... }:
dockerTools.buildImage {
  name = "run-as-root-parent-image";
  tag = "latest";
  fromImage = examples.bash;
  runAsRoot = "touch /example-file";
}
