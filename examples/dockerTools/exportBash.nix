# The file system of an image as a plain tar, without layers or config.
{ dockerTools, examples, ... }:
dockerTools.exportImage { fromImage = examples.bash; }
