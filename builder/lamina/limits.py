"""All limits for input, which `docs/design/hostile-input.md` lists.

Each limit is far above what real images need, and low enough that input below it takes little memory and time.
"""

from __future__ import annotations

JSON_BYTES = 16 << 20
"""Size of a recipe or a closure graph. Nix writes about 1 kB for each store path; large closures have 10,000 paths."""

DOCUMENT_BYTES = 4 << 20
"""Size of a JSON document of an image; also the limit of podman, Skopeo and buildah (containers/image, iolimits.go)."""

JSON_VALUES = 1_000_000
"""Values in one JSON document, counted by commas and brackets: 4 MiB of `[],` would become 100 MB of lists."""

JSON_NESTING = 100
"""Levels of objects and arrays in each other; the documents of images have five."""

GRAPH_PATHS = 50_000
"""Store paths in a closure graph or a recipe. The memory for planning grows with the square of their number."""

LOOKS = 200
"""Rounds that distinguish paths with equal names and sizes by their references: a chain of 10,000 would take minutes.
"""

IMAGES = 1000
"""Images in one archive or layout, and entries in one index."""

LAYERS = 500
"""Layers of one image: Linux mounts at most 500 over each other (fs/overlayfs, OVL_MAX_STACK); Docker accepts 127."""

V1_CHAIN = LAYERS
"""Parents of a legacy v1 image, which has one for each layer."""

BASES = 16
"""Recipes of which each is the base of the next one."""

INDEXES = 4
"""Levels of indexes in each other. Multi-platform images have two; no tool writes more."""

PATH_LINKS = 40
"""Symbolic links on one path: as many as Linux follows (path_resolution(7))."""

LINKS = 8
"""Links from one member of an archive to another that are followed."""

MEMBERS = 50_000
"""Members of an image archive. An image of 127 layers has some 600; a layout of many images a few thousand."""

MEMBER_NAME = 4096
"""Bytes of a member's name, and of a link's target: the longest path that Linux accepts."""

NAMES_BYTES = 16 << 20
"""Bytes of all names in an image archive, whose index is kept in memory."""

LAYER_NAMES_BYTES = 64 << 20
"""Bytes of all names in a layer that is checked for consumers: a million files have about this many."""

TAR_EXTENSION = 1 << 20
"""Bytes of one PAX or GNU long-name header: one extended attribute has up to 64 KiB."""

PAX_RECORDS = 64
"""Records of one PAX header: times, owners, names and a dozen extended attributes are 25."""

STORE_PATHS = 200_000
"""Store paths found in the layers of one base."""

FILES = 1_000_000
"""Files in the layers of a base, or of an image for `export`, and steps to delete them; each takes 1 kB of memory."""

FILES_BYTES = 256 << 20
"""Bytes of the names and extended attributes of these files, which are kept in memory."""

DATABASE_BYTES = 1 << 30
"""Size of the Nix database in a base: Nix writes about 1 kB for each store path."""

ROOT_REPEATS = 100_000
"""Files at the root of an image that are copied a second time, because a symbolic link leads to a directory again.

Links between directories can double the number of files with each directory.
"""

UNPACKED_FREE = 512 << 20
UNPACKED_RATIO = 200
UNPACKED_BYTES = 256 << 30
"""Limit for the decompressed size of all compressed parts of one archive:
UNPACKED_FREE + UNPACKED_RATIO * size of the archive, at most UNPACKED_BYTES.

Images compress to a half or a third. Only zeros compress better than 1:200, as in the sparse `lastlog` of a high user
number (292 bytes for each number); UNPACKED_FREE is for these. Data that is not compressed has no limit.
"""

UNPACKED_WINDOW = 192 << 20
"""Memory of an xz decoder, in bytes; `xz -9` needs 65 MiB. zstd has a limit of its own, 128 MiB."""

ERROR_TEXT = 600
"""Characters of each part of an error message."""

ANSWER_BYTES = JSON_BYTES
"""Bytes of one answer of a daemon's client: `docker image inspect` prints about 5 kB for each image."""

IMAGES_OF_DAEMON = 10_000
"""Images of a daemon that are inspected by one command: Linux accepts 2 MiB of arguments, and an ID has 71 bytes."""

ERROR_BYTES = 64 << 10
"""Bytes that are read from the end of a program's error output."""
