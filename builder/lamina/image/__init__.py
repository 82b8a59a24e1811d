"""The image: a config, layers and names; what its layers contain; what is remembered about them."""
