# Two images in one archive, one of them with a tag that is a hash.
{ dockerTools, examples, ... }:
dockerTools.mergeImages [ examples.bashNoTag examples.redis ]
