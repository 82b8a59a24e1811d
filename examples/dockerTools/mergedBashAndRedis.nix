# Two images in one archive.
{ dockerTools, examples, ... }:
dockerTools.mergeImages [ examples.bash examples.redis ]
