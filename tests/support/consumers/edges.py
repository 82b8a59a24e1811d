"""Layers at the edges of what file systems and tars hold: the images, and what must be in them when they run.

All that is small is in one image, which each consumer loads once.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import evolve, frozen

from tests.support import archives
from tests.support.builds import COMMAND, nix_build
from tests.support.consumers.adapters import KINDS
from tests.support.consumers.base import HEAVY
from tests.support.consumers.matrix import Refusal
from tests.support.recipes import archive_of, base, image_of, recipe, root_layer, save, tar_layer, write_recipe
from tests.support.trees import Link, make_tree

CAPABILITY = "security.capability"
# struct vfs_cap_data of linux/capability.h: revision 2, effective; permitted is CAP_NET_BIND_SERVICE (10) alone.
NET_BIND_SERVICE = bytes.fromhex("01000002 00040000 00000000 00000000 00000000")

BIG = 9 << 30
ROOM = 30 << 30
"""What a consumer needs to load it: podman has it three times, as a blob, as a copy and as a file."""


@frozen
class Fact:
    """What a file in a running image is; `links` only counts for a file that has several names."""

    kind: int
    mode: int = 0o444
    owner: tuple[int, int] = (0, 0)
    target: bytes | None = None
    links: int = 1


DIRECTORY = Fact(stat.S_IFDIR, 0o755)
FILE = Fact(stat.S_IFREG)


def link(target: bytes) -> Fact:
    return Fact(stat.S_IFLNK, 0o777, target=target)


@frozen
class Case:
    """Files of the small image by their paths; None is one that must not be there."""

    name: str
    files: Mapping[bytes, Fact | None]
    capabilities: tuple[str, ...] = ()


def deep(length: int) -> bytes:
    """A path below /deep of so many bytes, the slash that it starts with not counted."""
    parts = [b"deep"]
    left = length - len(parts[0])
    while left > 256:
        step = 255 if left - 256 > 1 else 200
        parts.append(b"d" * step)
        left -= step + 1
    return b"/".join([*parts, b"f" * (left - 1)])


LONG_TARGET = b"t" * 200
LATIN = b"latin-\xe9"
NOT_UTF8 = b"\xff\xfe" * 75
DEEP = deep(3900)

CASES = (
    Case(
        "long names",
        {b"names/" + b"n" * length: FILE for length in (99, 100, 101, 155, 156, 255)},
    ),
    Case("a path of 3900 bytes", {DEEP: FILE}),
    Case("names that are not UTF-8", {b"names/" + name: FILE for name in (LATIN, NOT_UTF8)}),
    Case(
        "names with blanks and line ends", {b"names/" + name: FILE for name in (b" ", b"two\nlines", b"-n", b"\\134")}
    ),
    Case(
        "symbolic links",
        {
            b"links/relative": link(b"../names/-n"),
            b"links/absolute": link(b"/names/-n"),
            b"links/dangling": link(b"nowhere"),
            b"links/long": link(LONG_TARGET),
            b"links/latin": link(LATIN),
        },
    ),
    Case("empty directories", {b"empty/above/below": DIRECTORY}),
    Case(
        "sticky, set-uid and set-gid modes, and owners",
        {
            b"modes/sticky": evolve(DIRECTORY, mode=0o1777),
            b"modes/setuid": evolve(FILE, mode=0o4755),
            b"modes/setgid": evolve(FILE, mode=0o2755),
            b"modes/none": evolve(FILE, mode=0),
            b"modes/owned": evolve(FILE, owner=(1000, 100), mode=0o640),
            b"modes/far": evolve(FILE, owner=(3_000_000, 3_000_001)),
        },
    ),
    Case(
        "hard links in a base",
        {path: Fact(stat.S_IFREG, 0o644, links=3) for path in (b"hard/one", b"hard/two", b"hard/below/three")},
    ),
    Case(
        "file capabilities",
        {b"caps/base": evolve(FILE, mode=0o755), b"caps/own": evolve(FILE, mode=0o755)},
        capabilities=("caps/base", "caps/own"),
    ),
    Case(
        "whiteouts and opaque directories in a base",
        {
            b"gone": DIRECTORY,
            b"gone/file": None,
            b"gone/tree": None,
            b"gone/.wh.file": None,
            b"gone/kept": evolve(FILE, mode=0o644),
            b"opaque/old": None,
            b"opaque/.wh..wh..opq": None,
            b"opaque/new": evolve(FILE, mode=0o644),
        },
    ),
    Case("empty layers and repeated ones", {b"twice": evolve(FILE, mode=0o644)}),
)

RULES = [
    {"pattern": "/modes/sticky", "mode": "1777"},
    {"pattern": "/modes/setuid", "mode": "4755"},
    {"pattern": "/modes/setgid", "mode": "2755"},
    {"pattern": "/modes/none", "mode": "0"},
    {"pattern": "/modes/owned", "mode": "640", "uid": 1000, "gid": 100},
    {"pattern": "/modes/far", "uid": 3_000_000, "gid": 3_000_001},
]


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def with_capability(name: str) -> tarfile.TarInfo:
    headers = {f"SCHILY.xattr.{CAPABILITY}": NET_BIND_SERVICE.decode("ascii")}
    return entry(name, mode=0o755, pax_headers=headers)


def tar(*entries: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info in entries:
            archive.addfile(info, io.BytesIO())
    return buffer.getvalue()


def make_base(directory: Path) -> Path:
    """What `docker save` would write of these layers, the standard library's tar in place of ours."""
    folder = tarfile.DIRTYPE
    twice = tar(entry("twice"))
    layers = (
        tar(
            entry("hard", folder),
            entry("hard/one"),
            entry("hard/two", tarfile.LNKTYPE, linkname="hard/one"),
            entry("hard/below", folder),
            entry("hard/below/three", tarfile.LNKTYPE, linkname="hard/two"),
            entry("caps", folder),
            with_capability("caps/base"),
        ),
        tar(
            entry("gone", folder),
            *(entry(f"gone/{name}") for name in ("file", "kept")),
            entry("gone/tree", folder),
            entry("gone/tree/leaf"),
            entry("opaque", folder),
            entry("opaque/old"),
        ),
        twice,
        tar(),
        tar(
            entry("gone", folder),
            *(entry(f"gone/.wh.{name}") for name in ("file", "tree")),
            entry("opaque", folder),
            entry("opaque/.wh..wh..opq"),
            entry("opaque/new"),
        ),
        tar(),
        twice,
    )
    image = archives.Sample(layers, names=("base:1",))
    return save(archives.docker_save([image]), directory / "base.tar")


def make_small_tree(directory: Path) -> Path:
    tree: dict[str, bytes | Link | None] = {"empty/above/below": None, "modes/sticky": None}
    for case in CASES[:5]:
        for name, fact in case.files.items():
            if fact and name != DEEP:
                tree[os.fsdecode(name)] = Link(os.fsdecode(fact.target)) if fact.target else b""
    tree |= {f"modes/{name}": b"" for name in ("setuid", "setgid", "none", "owned", "far")}
    make_tree(directory / "tree", tree)
    put_deep(directory / "tree", DEEP)
    return directory / "tree"


def put_deep(top: Path, name: bytes) -> None:
    """One step after the other, each from the directory before: the whole path may be longer than a call takes."""
    *above, last = name.split(b"/")
    here = os.open(top, os.O_RDONLY)
    for part in above:
        os.mkdir(part, dir_fd=here)
        below = os.open(part, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open(last, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=here))
    os.close(here)


def busybox() -> Path:
    return nix_build("-A", "pkgs.busybox")


def named(name: str) -> dict[str, object]:
    return {"names": [{"name": f"edges-{name}", "tag": "1"}], "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}}


def tar_file(path: Path, *entries: tarfile.TarInfo) -> Path:
    path.write_bytes(tar(*entries))
    return path


def small(directory: Path) -> Path:
    own = tar_file(directory / "own.tar", with_capability("caps/own"))
    # Once more, as a layer of one's own: the builder must not think that it is there already.
    twice = tar_file(directory / "twice.tar", entry("twice"))
    layers = (
        root_layer(busybox(), make_small_tree(directory), rules=RULES),
        tar_layer(own),
        tar_layer(tar_file(directory / "empty.tar")),
        tar_layer(twice),
        tar_layer(twice),
    )
    return archive_of(recipe(*layers, base=base(make_base(directory)), **named("small")), directory / "small.tar")


def path_of(length: int) -> Callable[[Path], Path]:
    """An image with a layer, made elsewhere, of one file whose path has so many bytes."""

    def made(directory: Path) -> Path:
        own = tar_file(directory / "own.tar", entry(deep(length).decode()))
        fields = recipe(root_layer(busybox()), tar_layer(own), **named(f"path-{length}"))
        return archive_of(fields, directory / "path.tar")

    return made


def layered(count: int) -> Callable[[Path], Path]:
    def made(directory: Path) -> Path:
        below = [tar_file(directory / f"{n}.tar", entry(f"layers/{n}")) for n in range(count - 1)]
        fields = recipe(*map(tar_layer, below), root_layer(busybox()), **named(f"layers-{count}"))
        return archive_of(fields, directory / "layers.tar")

    return made


def files(count: int) -> Callable[[Path], Path]:
    def made(directory: Path) -> Path:
        for folder in range(count // 1000):
            path = directory / f"tree/many/{folder}"
            path.mkdir(parents=True)
            for number in range(1000):
                os.close(os.open(path / str(number), os.O_CREAT | os.O_WRONLY))
        fields = recipe(root_layer(busybox(), directory / "tree"), **named(f"files-{count}"))
        archive = archive_of(fields, directory / "files.tar")
        shutil.rmtree(directory / "tree")
        return archive

    return made


def big(directory: Path) -> Path:
    """A file of 9 GiB of zeros with something after it, as Lamina writes it; of the archive only what is not zero."""
    tree = make_tree(directory / "tree", {"big": b"", "later/file": b""})
    os.truncate(tree / "big", BIG)
    fields = recipe(root_layer(busybox(), tree), **named("big"))
    archive = directory / "big.tar"
    build = subprocess.Popen([COMMAND, "build", write_recipe(fields, directory), "-o", "-"], stdout=subprocess.PIPE)
    sparse = ("dd", f"of={archive}", "bs=1M", "iflag=fullblock", "conv=sparse", "status=none")
    subprocess.run(sparse, stdin=build.stdout, check=True, timeout=HEAVY)
    assert build.wait() == 0
    return archive


PATHS = {f"a path of {length} bytes": length for length in (4001, 4096)}
STACKS = {f"{count} layers": count for count in (125, 127)}
MANY = {f"{count:,} files": count for count in (20_000, 200_000)}
LARGE = "a file of 9 GiB"
IMAGES: Mapping[str, Callable[[Path], Path]] = {
    "small": small,
    **{name: path_of(length) for name, length in PATHS.items()},
    **{name: layered(count) for name, count in STACKS.items()},
    **{name: files(count) for name, count in MANY.items()},
    LARGE: big,
}


def big_layer(directory: Path) -> Path:
    """The layer of a file of 9 GiB of zeros, on a disk that has room for none of them.

    The file's data ends the layer and is zeros, as is the tar's end: so its beginning, made longer, is the layer.
    """
    tree = make_tree(directory / "tree", {"big": b""})
    os.truncate(tree / "big", BIG)
    [layer] = image_of(recipe(root_layer(tree))).layers
    path = directory / "layer.tar"
    with path.open("wb") as file:
        file.write(next(iter(layer.blob.chunks())))
        file.truncate(layer.blob.size)
    return path


# Names may hold line ends, so records start with RS, and their fields with US.
LIST = r"""
rs=$(printf '\036') us=$(printf '\037')
for top in "$@"; do
  find "/$top" -exec stat -c "$rs%f$us%h$us%u$us%g$us%n" {} +
  find "/$top" -type l -exec sh -c 'for f; do printf "\036l\037%s\037%s\n" "$(readlink "$f")" "$f"; done' sh {} +
done | xxd -p
"""
TOPS = sorted({name.split(b"/")[0].decode() for case in CASES for name in case.files})
LISTING = ("/bin/sh", "-c", LIST, "sh", *TOPS)


def listed(text: str) -> dict[bytes, Fact]:
    """What LISTING printed: each path, and what is there."""
    facts: dict[bytes, Fact] = {}
    for record in bytes.fromhex(text).split(b"\x1e")[1:]:
        first, *fields, name = record.removesuffix(b"\n").split(b"\x1f")
        name = name.lstrip(b"/")
        if first == b"l":
            facts[name] = evolve(facts[name], target=fields[0])
            continue
        mode, links, uid, gid = int(first, 16), *map(int, fields)
        several = links if stat.S_ISREG(mode) else 1
        facts[name] = Fact(stat.S_IFMT(mode), stat.S_IMODE(mode), (uid, gid), links=several)
    return facts


LAYER_DEPTH = Refusal(
    "keeps images of at most 125 layers",
    r"max depth exceeded",
    "moby layer/layer_store.go, maxLayerDepth",
)
WHOLE_PATHS = Refusal(
    "counts what it has unpacked by paths that begin with its own directory, about 100 bytes longer than the image's",
    r"lstat \S+/diff/deep/\S+: file name too long",
    "moby and containers/storage, pkg/directory, called by ApplyDiff of the driver overlay",
)
PATH_MAX = Refusal(
    "opens files by their paths, of which the kernel takes 4095 bytes",
    r"open \S*/deep/\S+: file name too long",
    "Linux, include/uapi/linux/limits.h, PATH_MAX",
)
TWO_GIB = Refusal(
    "takes no file of more than 2 GiB out of an OCI archive",
    r"zip read limit hit .*: copied 2147483648",
    "stereoscope pkg/file/tarutil.go, perFileReadLimit",
)
REFUSALS = (LAYER_DEPTH, WHOLE_PATHS, PATH_MAX, TWO_GIB)


def refusal(kind: str, image: str) -> Refusal | None:
    """Docker's classic store, podman and buildah unpack in a chroot and look at what is there from outside.

    Podman 5.8.6 and buildah 1.43 no longer do. Docker 28.5 writes a path of 4096 bytes, and cannot look at it.
    """
    classic = ("dockerd", "dockerd_trixie", "dockerd_forky")
    older = KINDS[kind].family in ("podman", "buildah") and not kind.endswith("_forky")
    from_outside = older or kind in classic
    if image == "a path of 4096 bytes":
        return WHOLE_PATHS if kind == "dockerd_forky" else PATH_MAX
    if image == "a path of 4001 bytes" and from_outside:
        return WHOLE_PATHS
    if image == "127 layers" and kind in classic:
        return LAYER_DEPTH
    return None
