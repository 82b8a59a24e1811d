"""`lamina report`: one page about an image, without network."""
