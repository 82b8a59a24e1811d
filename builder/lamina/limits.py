"""How much of anything is read from input: what `docs/design/hostile-input.md` promises, in one place.

Each limit lies well above what real images have, and low enough that nothing below it takes much memory or time.
"""

from __future__ import annotations

JSON_BYTES = 16 << 20
"""Of a recipe or a closure graph: Nix writes about 1 kB for each store path, and large closures have 10,000."""

DOCUMENT_BYTES = 4 << 20
"""Of a document of an image. Podman, Skopeo and buildah read no more of one (containers/image, iolimits.go)."""

JSON_VALUES = 1_000_000
"""Values in one JSON document, by its commas and brackets: 4 MiB of `[],` would become 100 MB of lists."""

JSON_NESTING = 100
"""Objects and arrays within each other; an image's own are five deep."""

GRAPH_PATHS = 50_000
"""Store paths in a closure graph, or in a recipe: planning takes memory by the square of their number."""

LOOKS = 200
"""References that are followed to tell paths of one name and size apart: a chain of 10,000 such would take minutes."""

IMAGES = 1000
"""Images in one archive or layout, and entries of one index."""

LAYERS = 500
"""Layers of one image: Linux mounts no more over each other (fs/overlayfs, OVL_MAX_STACK); Docker takes 127."""

V1_CHAIN = LAYERS
"""Parents of a legacy v1 image: it has one for each layer."""

BASES = 16
"""Recipes of which each is the base of the next one."""

INDEXES = 4
"""Indexes within each other. One in another is usual (platforms); more is nobody's layout."""

LINKS = 8
"""Links from one member of an archive to the next."""

MEMBERS = 50_000
"""Members of an image archive. An image of 127 layers has some 600; a layout of many images a few thousand."""

MEMBER_NAME = 4096
"""Bytes of a member's name, and of what it links to: Linux takes no longer path."""

NAMES_BYTES = 16 << 20
"""Bytes of all names of an image archive together: its index is kept in memory."""

LAYER_NAMES_BYTES = 64 << 20
"""Bytes of all names of a layer that is held to what consumers need: a million files have about as many."""

TAR_EXTENSION = 1 << 20
"""Bytes of one PAX or GNU long-name header: extended attributes take up to 64 KiB each."""

PAX_RECORDS = 64
"""Records of one PAX header: times, owners, names and a dozen of extended attributes make 25."""

STORE_PATHS = 200_000
"""Store paths found in the layers of one base."""

FILES = 1_000_000
"""Files in the layers of an image whose file system is wanted, and steps to delete them: 1 kB of memory for each."""

FILES_BYTES = 256 << 20
"""Bytes of the names and extended attributes of these files: they are kept in memory."""

DATABASE_BYTES = 1 << 30
"""Of the Nix database in a base: Nix writes about 1 kB for each store path."""

ROOT_REPEATS = 100_000
"""Files at the root of an image that are there because of a symbolic link to a directory that is there already.

Links that lead to each other crosswise double the number of files with each directory.
"""

UNPACKED_FREE = 512 << 20
UNPACKED_RATIO = 200
UNPACKED_BYTES = 256 << 30
"""What the compressed parts of one archive may unpack to: the first, and for each byte of the archive the second, but
never more than the third.

Images pack to a half or a third. Only zeros pack better than 1:200, as in the sparse `lastlog` that a high user
number makes (292 bytes for each number): the first leaves room for these. Data that is not compressed has no limit.
"""

UNPACKED_WINDOW = 192 << 20
"""Bytes of memory that an xz decoder may take; `xz -9` asks for 65 MiB. zstd's own limit is 128 MiB."""

ERROR_TEXT = 600
"""Characters of what an error tells of its input."""

ANSWER_BYTES = JSON_BYTES
"""Bytes of one answer of a daemon's client: `docker image inspect` prints some 5 kB for each image."""

IMAGES_OF_DAEMON = 10_000
"""Images of a daemon that are inspected in one command: Linux takes 2 MiB of arguments, and an ID has 71 bytes."""

ERROR_BYTES = 64 << 10
"""Bytes of a program's error output that are read, from its end."""
