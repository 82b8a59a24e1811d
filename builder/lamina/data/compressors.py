"""The names of the compressors, as options and arguments use them, the extensions of their files, and their levels."""

from collections.abc import Mapping

COMPRESSORS = {"none": "", "gz": ".gz", "zstd": ".zst"}
"""File extensions by compressor. `nix/lib/archive.nix` has the same list; a test compares the two."""

LAYER_COMPRESSORS = ("gz", "zstd", "zstd:chunked", "none")
"""How layers can be compressed. `nix/lib/archive.nix` has the same list; a test compares the two."""

LAYER_LEVELS: Mapping[str, range] = {"gz": range(1, 10), "zstd": range(1, 4), "zstd:chunked": range(1, 4)}
"""Levels at which a layer can be compressed: those that give the same bytes with every version of the library."""

DEFAULT_LAYER_LEVELS: Mapping[str, int] = {"gz": 6, "zstd": 2, "zstd:chunked": 2}
