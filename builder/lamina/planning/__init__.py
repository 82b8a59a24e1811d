"""Which store paths share a layer."""
