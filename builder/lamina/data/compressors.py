"""The names of the compressors, which arguments use, and the endings of the files that they make."""

COMPRESSORS = {"none": "", "gz": ".gz", "zstd": ".zst"}
"""Endings by name. `nix/lib/archive.nix` has the same list; a test compares the two."""
