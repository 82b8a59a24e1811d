# Two images in one archive. The owners of their files are kept.
{ dockerTools, examples, ... }:
dockerTools.mergeImages [ examples.layeredImageWithFakeRootCommands examples.bash ]
