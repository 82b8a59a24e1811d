# Images that are compressed in different ways, in one archive.
{ dockerTools, examples, ... }:
dockerTools.mergeImages [ examples.redis examples.bashUncompressed examples.bashZstdCompressed ]
