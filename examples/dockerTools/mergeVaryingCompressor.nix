# Images with different compressors, in one archive.
{ dockerTools, examples, ... }:
dockerTools.mergeImages [ examples.redis examples.bashUncompressed examples.bashZstdCompressed ]
