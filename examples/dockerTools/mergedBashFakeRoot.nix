# Two images in one archive: who owns what in them stays.
{ dockerTools, examples, ... }:
dockerTools.mergeImages [ examples.layeredImageWithFakeRootCommands examples.bash ]
