"""The names of the compressors, as options and arguments use them, and the extensions of their files."""

COMPRESSORS = {"none": "", "gz": ".gz", "zstd": ".zst"}
"""File extensions by compressor. `nix/lib/archive.nix` has the same list; a test compares the two."""
