"""Layers of file trees: order, modes, links, what is refused; and that nothing but names and bytes counts."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from lamina.errors import BadInput
from lamina.store.ownership import Stamp
from lamina.store.root_tree import root_items
from lamina.store.tree import Item, packed_items, store_items
from lamina.store.tree_blob import TreeBlob
from lamina.tar.write import Member
from tests.support.trees import Link, Program, Store, Tree, make_tree

HELLO: Tree = {
    "bin/hello": Program(b"#!/bin/sh\necho hello\n"),
    "bin/hi": Link("hello"),
    "share/doc/README": b"read me\n",
    "share/empty": None,
    "share/empty-file": b"",
    "lib.d/x": b"x",
    "lib/y": b"y",
}


def layer(items: Iterable[Item]) -> bytes:
    blob = TreeBlob.of(list(items))
    data = b"".join(blob.chunks())
    assert len(data) == blob.size, "sizes are known before any byte is read"
    return data


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def names(data: bytes) -> list[str]:
    return [info.name for info in members(data)]


def inside(store: Store, data: bytes) -> list[tarfile.TarInfo]:
    """The members below the store, with names from there on."""
    found = []
    for info in members(data):
        if info.name.startswith(store.inside + "/"):
            info.name = info.name[len(store.inside) + 1 :]
            found.append(info)
    return found


def test_a_store_path_is_whole_and_in_order(store: Store) -> None:
    path = store.add("hello", HELLO)
    top = Path(path).name
    found = inside(store, layer(store_items([path], Stamp())))
    below = ["", "/bin", "/bin/hello", "/bin/hi", "/lib", "/lib/y", "/lib.d", "/lib.d/x", "/share", "/share/doc"]
    below += ["/share/doc/README", "/share/empty", "/share/empty-file"]
    assert [info.name for info in found] == [top + name for name in below]
    assert found[3].linkname == "hello"
    assert found[2].size == len(b"#!/bin/sh\necho hello\n")


def test_the_store_s_own_directories_come_first_and_once(store: Store) -> None:
    paths = [store.add(name, {"f": b"x"}) for name in ("one", "two", "three")]
    data = layer(store_items([*paths, paths[0]], Stamp(7, 8, 9)))
    parts = store.inside.split("/")
    parents = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    assert names(data)[: len(parts)] == parents
    assert len(names(data)) == len(set(names(data))) == len(parents) + 6
    assert {info.mode for info in members(data)[: len(parts)]} == {0o755}
    assert {(info.uid, info.gid, info.mtime, info.uname, info.gname) for info in members(data)} == {(7, 8, 9, "", "")}
    assert all(stamped.mtime == 1 and stamped.uid == 0 for stamped in members(layer(store_items(paths, Stamp()))))


def test_the_order_in_which_paths_are_given_changes_nothing(store: Store) -> None:
    paths = [store.add(name, {"f": name.encode()}) for name in "abcd"]
    assert layer(store_items(paths, Stamp())) == layer(store_items(paths[::-1], Stamp()))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o444, 0o444), (0o644, 0o444), (0o600, 0o444), (0o755, 0o555), (0o4711, 0o555), (0o455, 0o444), (0o500, 0o555)],
    ids=oct,
)
def test_modes_in_the_store_are_those_that_nix_gives(mode: int, expected: int, store: Store) -> None:
    path = store.add("odd", {"file": b"x", "directory": None})
    (Path(path) / "file").chmod(mode)
    (Path(path) / "directory").chmod(0o700)
    found = inside(store, layer(store_items([path], Stamp())))
    assert [oct(info.mode) for info in found] == [oct(0o555), oct(0o555), oct(expected)]


def test_files_that_are_hard_links_are_written_out_each(store: Store) -> None:
    """An optimised store links equal files; whether it did must not show."""
    tree = {"a": b"same", "b": b"same"}
    apart = store.add("twins", tree)
    before = layer(store_items([apart], Stamp()))
    (Path(apart) / "b").unlink()
    os.link(Path(apart) / "a", Path(apart) / "b")
    assert layer(store_items([apart], Stamp())) == before
    assert {info.type for info in inside(store, before)} == {tarfile.DIRTYPE, tarfile.REGTYPE}


def test_the_order_in_which_files_were_made_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = store.add("hello", HELLO)
    data = layer(store_items([first], Stamp()))
    os.rename(first, tmp_path / "aside")
    second = store.add("hello", dict(reversed(list(HELLO.items()))))
    assert second == first
    os.utime(Path(second) / "bin", (5, 5))
    assert layer(store_items([second], Stamp())) == data


_DUMP = """
import os, sys
os.umask(int(sys.argv[1], 8))
from lamina.store.ownership import Stamp
from lamina.store.tree import store_items
from lamina.store.tree_blob import TreeBlob
sys.stdout.buffer.writelines(TreeBlob.of(store_items(sys.argv[2:], Stamp())).chunks())
"""


def test_time_zone_umask_locale_and_hash_seed_change_nothing(store: Store) -> None:
    path = store.add("hello", {**HELLO, "grüße": b"x", "Zebra": b"z", "äpfel": Link("grüße")})
    results = set()
    for umask, changes in [
        ("000", {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"}),
        ("077", {"TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}),
        ("022", {"TZ": "America/Caracas", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ]:
        command = [sys.executable, "-c", _DUMP, umask, path]
        results.add(subprocess.run(command, env=os.environ | changes, capture_output=True, check=True).stdout)
    assert results == {layer(store_items([path], Stamp()))}


def test_names_are_bytes(store: Store) -> None:
    path = store.add("bytes", {})
    for name in (b"caf\xe9", b"\xff", b"new\nline"):
        Path(os.fsdecode(os.fsencode(path) + b"/" + name)).write_bytes(b"x")
    found = inside(store, layer(store_items([path], Stamp())))
    assert [os.fsencode(info.name).partition(b"/")[2] for info in found] == [b"", b"caf\xe9", b"new\nline", b"\xff"]


def test_a_file_or_a_link_can_be_a_store_path(store: Store) -> None:
    paths = [store.add_file("file", b"text"), str(store.path("link"))]
    os.symlink("elsewhere", paths[1])
    assert [info.type for info in inside(store, layer(store_items(sorted(paths), Stamp())))] == [
        tarfile.SYMTYPE if path == paths[1] else tarfile.REGTYPE for path in sorted(paths)
    ]


def test_a_store_path_that_is_not_there_is_told_with_what_gets_it(store: Store) -> None:
    path = str(store.path("gone"))
    with pytest.raises(BadInput) as caught:
        store_items([path], Stamp())
    assert str(caught.value) == f"{path}: not in the store; get it with: nix-store --realise {path}"


@pytest.mark.parametrize("name", [".wh.x", ".wh.", ".wh..wh..opq"])
def test_a_name_that_deletes_files_is_refused(name: str, store: Store) -> None:
    path = store.add("bad", {f"deep/{name}": b"x"})
    match = rf"{path}/deep/{name}: the file's name starts with \.wh\.; .*rename it"
    with pytest.raises(BadInput, match=match):
        store_items([path], Stamp())
    with pytest.raises(BadInput, match=match):
        root_items([path], Stamp(), keep_dirlinks=False)


def test_a_name_with_wh_elsewhere_is_lawful(store: Store) -> None:
    path = store.add("fine", {"a.wh.x": b"x", ".what": b"y"})
    assert len(inside(store, layer(store_items([path], Stamp())))) == 3


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_is_refused(kind: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.add("odd", {})
    monkeypatch.chdir(path)  # a socket's whole name may be too long for bind
    if kind == "fifo":
        os.mkfifo("thing")
    else:
        socket.socket(socket.AF_UNIX).bind("thing")
    with pytest.raises(BadInput, match=f"{path}/thing: no file, directory or symbolic link; take it out of the tree"):
        store_items([path], Stamp())


@pytest.mark.parametrize("size", [0, 3, 5, 3 << 20])
def test_a_file_that_changes_its_size_is_found(size: int, store: Store) -> None:
    path = store.add("moving", {"file": b"four"})
    blob = TreeBlob.of(store_items([path], Stamp()))
    (Path(path) / "file").write_bytes(bytes(size))
    with pytest.raises(BadInput, match=f"{path}/file: changed its size while it was read"):
        list(blob.chunks())


def test_a_file_that_becomes_a_link_is_not_followed(store: Store) -> None:
    path = store.add("moving", {"file": b"four", "other": b"FOUR"})
    blob = TreeBlob.of(store_items([path], Stamp()))
    (Path(path) / "file").unlink()
    (Path(path) / "file").symlink_to("other")
    with pytest.raises(BadInput, match=f"{path}/file: .*the file vanished or may not be read"):
        list(blob.chunks())


def test_a_name_too_long_for_linux_is_refused() -> None:
    """No file system here holds such a name; another may."""
    with pytest.raises(BadInput, match="file name too long"):
        list(TreeBlob.of([Item(Member(b"d/" + b"x" * 256), b"")]).chunks())


def test_the_tree_of_nothing_is_the_empty_tar() -> None:
    assert layer([]) == bytes(1024)


# What lies at the root of an image.


def at_root(*trees: Path | str, keep_dirlinks: bool = False) -> dict[str, tarfile.TarInfo]:
    data = layer(root_items([str(tree) for tree in trees], Stamp(), keep_dirlinks=keep_dirlinks))
    found = {info.name: info for info in members(data)}
    assert list(found) == sorted(found, key=lambda name: name.split("/")), "parents before children, in order"
    return found


def test_directories_at_the_root_can_be_written_to(tmp_path: Path) -> None:
    found = at_root(make_tree(tmp_path / "t", HELLO))
    assert [name for name, info in found.items() if info.isdir() and info.mode == 0o755] == [
        "bin",
        "lib",
        "lib.d",
        "share",
        "share/doc",
        "share/empty",
    ]
    assert (found["bin/hello"].mode, found["share/doc/README"].mode) == (0o555, 0o444)


def test_later_trees_lie_over_earlier_ones(tmp_path: Path) -> None:
    one = make_tree(tmp_path / "one", {"etc/a": b"1", "etc/both": b"one"})
    two = make_tree(tmp_path / "two", {"etc/b": b"22", "etc/both": b"longer"})
    assert {name: info.size for name, info in at_root(one, two).items()} == {
        "etc": 0,
        "etc/a": 1,
        "etc/b": 2,
        "etc/both": 6,
    }
    assert at_root(two, one)["etc/both"].size == 3


@pytest.mark.parametrize("other", [{"bin": b"a file"}, {"bin": Link("elsewhere")}])
@pytest.mark.parametrize("order", [1, -1])
def test_a_directory_and_something_else_of_one_name_are_refused(other: Tree, order: int, tmp_path: Path) -> None:
    trees = [make_tree(tmp_path / "one", {"bin/x": b"x"}), make_tree(tmp_path / "two", other)]
    with pytest.raises(BadInput, match="/bin is a directory in one tree and not in another; leave one of them out"):
        at_root(*trees[::order])


def test_links_to_directories_become_directories_unless_kept(tmp_path: Path) -> None:
    make_tree(tmp_path / "elsewhere", {"tool": Program(b"x"), "sub/f": b"y"})
    tree = make_tree(
        tmp_path / "t", {"bin": Link("../elsewhere"), "file": Link("../elsewhere/tool"), "dead": Link("no")}
    )
    followed = at_root(tree)
    assert list(followed) == ["bin", "bin/sub", "bin/sub/f", "bin/tool", "dead", "file"]
    assert followed["bin"].isdir() and followed["file"].issym() and followed["dead"].issym()
    kept = at_root(tree, keep_dirlinks=True)
    assert list(kept) == ["bin", "dead", "file"]
    assert kept["bin"].issym() and kept["bin"].linkname == "../elsewhere"


def test_a_link_to_a_directory_that_it_lies_in_stays_a_link(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t", {"a/self": Link("."), "a/up": Link(".."), "a/top": Link(str(tmp_path / "t"))})
    found = at_root(tree)
    assert list(found) == ["a", "a/self", "a/top", "a/up"]
    assert all(found[name].issym() for name in ("a/self", "a/top", "a/up"))


def test_directories_that_link_to_each_other_come_to_an_end(tmp_path: Path) -> None:
    found = at_root(make_tree(tmp_path / "t", {"x/y": Link("../z"), "z/w": Link("../x"), "z/f": b"f"}))
    assert found["x/y"].isdir() and found["x/y/f"].isreg() and found["x/y/w"].issym()
    assert found["z/w/y"].issym()


def test_a_tree_may_be_reached_through_a_link(tmp_path: Path) -> None:
    make_tree(tmp_path / "t", {"f": b"f"})
    (tmp_path / "link").symlink_to("t")
    assert list(at_root(tmp_path / "link")) == ["f"]


def test_what_is_no_directory_cannot_go_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for tree, what in ((tmp_path / "file", "not a directory"), (tmp_path / "gone", "not in the store")):
        with pytest.raises(BadInput, match=f"{tree}: {what}; what goes to the root of an image must be a directory"):
            at_root(tree)


# What a script made, which is packed with the modes that it has.


def packed(top: Path) -> dict[str, tarfile.TarInfo]:
    return {info.name: info for info in members(layer(packed_items(os.fsencode(top), Stamp(uid=5))))}


def test_packing_keeps_modes(tmp_path: Path) -> None:
    top = make_tree(tmp_path / "t", {"tmp/f": b"x", "su": Program(b"x"), "private/key": b"k"})
    (top / "tmp").chmod(0o1777)
    (top / "su").chmod(0o4755)
    (top / "private").chmod(0o700)
    found = packed(top)
    assert list(found) == ["private", "private/key", "su", "tmp", "tmp/f"]
    assert [oct(found[name].mode) for name in ("tmp", "su", "private")] == ["0o1777", "0o4755", "0o700"]
    assert {info.uid for info in found.values()} == {5}
    assert stat.S_IMODE((top / "su").stat().st_mode) == 0o4755, "the file system kept the bit, or this proves nothing"


def test_packing_a_link_to_a_directory_packs_the_directory(tmp_path: Path) -> None:
    """`result`, as nix-build leaves it, is such a link."""
    make_tree(tmp_path / "t", {"f": b"x"})
    (tmp_path / "result").symlink_to("t")
    assert list(packed(tmp_path / "result")) == ["f"]


def test_a_link_out_of_the_store_stays_one(tmp_path: Path) -> None:
    """What the machine has there is no part of the image."""
    outside = make_tree(tmp_path / "machine", {"secret": b"x"})
    tree = make_tree(tmp_path / "place/tree", {"lib": Link(str(outside)), "near": Link("../sibling")})
    make_tree(tmp_path / "place/sibling", {"f": b"x"})
    found = {info.name: info for info in members(layer(root_items([str(tree)], Stamp())))}
    assert found["lib"].linkname == str(outside)
    assert found["near"].isdir() and "near/f" in found


def test_a_part_of_a_store_path_has_the_whole_store_beside_it(store: Store) -> None:
    far = store.add("far", {"f": b"x"})
    near = store.add("near", {"share/link": Link(far)})
    assert "link/f" in {info.name for info in members(layer(root_items([near + "/share"], Stamp())))}
