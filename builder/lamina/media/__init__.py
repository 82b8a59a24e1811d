"""Media: ways to store or to move images. One module for each."""
