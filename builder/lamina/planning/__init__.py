"""Planning: which store paths share a layer."""
