"""The image: a config, layers and names; what its layers contain; digests of layers, computed and remembered."""
