"""All limits for input, which `docs/design/hostile-input.md` lists.

Each limit is far above what real images need, and low enough that input below it takes little memory and time.
"""

from __future__ import annotations


class Allowance:
    """How much an archive may ask for: `free`, and `ratio` for each byte of the archive on the disk, up to `most`.

    So an archive of a few kilobytes cannot take gigabytes, and a large one may take what large images need.
    """

    __slots__ = ("free", "most", "ratio", "remedy", "what")

    def __init__(self, what: str, free: int, ratio: float, most: int, remedy: str) -> None:
        self.what, self.free, self.ratio, self.most, self.remedy = what, free, ratio, most, remedy

    def of(self, packed: int | None) -> int:
        """The limit for an archive of `packed` bytes; with None, the limit without an archive."""
        return self.most if packed is None else min(self.most, self.free + int(self.ratio * packed))

    def message(self, packed: int | None) -> str:
        """What an error says about an archive that asks for more."""
        return f"more than {self.of(packed)} {self.what}"


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

INDEXES = 8
"""Indexes in each other below `index.json`. Multi-platform images have one; containerd follows any number."""

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

TAR_EXTENSION = 1 << 20
"""Bytes of one PAX or GNU long-name header: one extended attribute has up to 64 KiB."""

PAX_RECORDS = 64
"""Records of one PAX header: times, owners, names and a dozen extended attributes are 25."""

STORE_PATHS = 200_000
"""Store paths found in the layers of one base."""

DATABASE_VALUE = 64 << 10
"""Bytes of one value, or of one row, in the Nix database of a base: signatures are the longest."""

DATABASE_REFERENCES = 2_000_000
"""References between the store paths in this database: a path has ten on average."""

DATABASE_STEPS = 200_000_000
"""Instructions of SQLite's machine to read this database: a row takes some twenty."""

DATABASE_BYTES = 1 << 30
"""Size of the Nix database in a base: Nix writes about 1 kB for each store path."""

PACKAGE_DEPENDENCIES = 500_000
"""Names on which the packages of an image depend, or which they provide: a package has ten."""

RPM_HEADER = 16 << 20
"""Bytes of one package's header in an RPM database: packages of 10,000 files have 2 MB."""

METADATA_PACKAGES = 100_000
"""Packages in the metadata that Nix writes, such as licenses: all packages that take part in building a closure."""

VENDORED_FILES = 1000
"""CycloneDX documents that list what was compiled into one package, and entries of their directory."""

VENDORED_PARTS = 100_000
"""Packages in these documents together: a large Rust program has 1,000."""

POLICY_BYTES = 1 << 20
"""Size of a policy for `lamina check`; one has some twenty lines."""

ROOT_REPEATS = 100_000
"""Files at the root of an image that are copied a second time, because a symbolic link leads to a directory again.

Links between directories can double the number of files with each directory.
"""

_HOSTILE = "no image is like this; if you trust it, unpack it first"

CHUNKED_TABLE = 150 << 20
"""Bytes of the table of contents of a zstd:chunked layer, also the limit of podman and CRI-O: 400,000 files."""

UNPACKED = Allowance("bytes unpacked from compressed parts", 512 << 20, 200, 256 << 30, _HOSTILE)
"""Size of all compressed parts of one archive after decompression. Images compress to a half or a third. Only zeros
compress better than 1:200, as in the sparse `lastlog` of a high user number (292 bytes for each number): the free part
is for these. Data that is not compressed has no limit.
"""

DOCUMENTS = Allowance("bytes in its documents", 10 << 20, 16, 256 << 20, _HOSTILE)
"""All documents of an archive together. The config of each image counts, also where images share it."""

TABLES = Allowance("bytes in its tables of contents", 16 << 20, 16, 4 << 30, _HOSTILE)
"""The tables of all zstd:chunked layers of an archive: a member takes up to 400 bytes, and 40 in the layer."""

TABLE_LINES = Allowance("lines of tar-split data", 120_000, 1 / 8, 30_000_000, _HOSTILE)
"""Lines of tar-split data of all these layers together: a member has two."""

COMPARED = Allowance("bytes to compare with its tables of contents", 512 << 20, 200, 256 << 30, _HOSTILE)
"""Tars that are read a second time, and the stored bytes of tables and tar-split data. Two manifests may refer to
different tables of one layer, but a thousand manifests with different tables are hostile.
"""

DOCUMENT_VALUES = Allowance("values in its documents", 200_000, 1 / 4, 8_000_000, _HOSTILE)
"""Values in these documents, by their commas and brackets: one takes up to 232 bytes of memory."""

LAYER_MEMBERS = Allowance("members in its layers", 60_000, 1 / 8, 10_000_000, _HOSTILE)
"""Headers that are read in one operation. Compressed by the best tools a header takes some 15 bytes of an archive."""

SPARSE_PARTS = 300_000
"""Parts between holes, in the sparse members of one tar. GNU tar writes some 20 bytes for each of them."""

LAYER_NAMES = Allowance("bytes of names in its layers", 16 << 20, 4, 256 << 20, _HOSTILE)
"""Names of members, in operations that keep them in memory: a million files have about 64 MiB."""

FILES = Allowance("files in its layers", 100_000, 1 / 8, 1_000_000, "build on a smaller image")
"""Files whose place in the file system is kept, directories that occur only in names of files, and steps to delete
files: 1 kB of memory for each."""

FILES_BYTES = Allowance("bytes of names and attributes of files", 16 << 20, 4, 256 << 20, "build on a smaller image")
"""Names and attributes of these files are kept in memory, too."""

STEPS = Allowance("steps through directories and links", 2_000_000, 2, 32_000_000, "build on a smaller image")
"""Steps to find the places of files: one for each part of a path, and for each part of a link's target."""

PACKAGES = Allowance("packages in its databases", 10_000, 1 / 32, 50_000, _HOSTILE)
"""Packages of distributions in an image: a full desktop has 3,000, each of which takes some 100 bytes of an archive."""

SEARCHED_DATA = Allowance("bytes of files in which references are searched for", 512 << 20, 200, 256 << 30, _HOSTILE)
"""For all images that one command shows: each may have other store paths, which are searched for in the same files."""

SEARCHED = Allowance("places in its files where a hash of a store path could begin", 8 << 20, 8, 1 << 30, _HOSTILE)
"""Each place is looked at in a run of 32 or more letters and digits that hashes can have."""

PACKAGE_DATABASES = Allowance("bytes of package databases", 4 << 20, 8, 64 << 20, _HOSTILE)
"""The package databases of distributions in an image: dpkg writes 2 kB for each package, RPM some 30 kB."""

LAYER_PLACES = Allowance("layers in its images", 50_000, 0, 50_000, _HOSTILE)
"""Layers of all images in one archive, each as often as images have it."""

IMAGE_NAMES = Allowance("names of images", 10_000, 0, 10_000, _HOSTILE)
"""Names of all images in one archive."""

HISTORY = 5000
"""Entries in the history of an image; one has two or three for each layer."""

UNPACKED_FRAME = 2 << 10
"""Bytes that each frame of zstd data, member of gzip data or stream of other data counts as, beside its content.

An empty frame has 9 bytes, and starting a decoder takes as long as decompressing 2 KiB. A zstd:chunked layer has a
frame for each file.
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

ATTACHED_BYTES = 32 << 20
"""Size of a document that `lamina attach` adds to an image: the bill of materials of a large image has 10 MB."""

DIGEST_MAP_LAYERS = 10_000
"""Layers in the digest map beside an image in a registry: an index of 20 platforms may have 20 * LAYERS."""

RANGES = 64
"""Parts of a blob in one request, and parameters in its address: a client that resumes requests one part."""

STALLED = 60
"""Seconds after which a client of `lamina serve` that takes no byte, or sends no request, is disconnected."""

SHARED_BYTES = 48 << 20
"""Bytes of layers that `lamina serve` keeps for clients that pull the same layer at about the same time."""

SHOWN_FILES = 1_000_000
"""Files in the JSON of `lamina inspect` that match a pattern."""
