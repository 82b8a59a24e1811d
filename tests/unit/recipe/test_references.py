"""What the files at the root of an image refer to: as much as Nix would find in a layer of them, and no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.store.closure import PathInfo
from lamina.store.references import hashes_in, root_files
from tests.support.trees import Link, Program, Store, Tree

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"


def info(path: Path | str, *references: Path | str) -> PathInfo:
    return PathInfo(str(path), "sha256:0", 1, tuple(sorted(map(str, references))))


def graph(*infos: PathInfo) -> dict[str, PathInfo]:
    return {item.path: item for item in infos}


def made(store: Store, name: str, tree: Tree) -> str:
    return store.add(name, tree)


def test_a_whole_tree_refers_to_what_its_store_path_refers_to(store: Store) -> None:
    """Nix knows: not a byte is read."""
    other = made(store, "other", {})
    app = made(store, "app", {"bin/app": Program(b"no reference here")})
    os.chmod(f"{app}/bin/app", 0)
    files = root_files([info(app, other)], graph(info(app, other), info(other)), links=False)
    assert files.references == {other}


def test_a_part_of_a_package_refers_to_what_is_in_it(store: Store) -> None:
    """buildEnv of one package links its `bin`, which is then copied: neither its `lib` nor itself is needed."""
    python, libc = made(store, "python", {}), made(store, "libc", {})
    app = made(store, "app", {"bin/app": Program(b"\0" * 100 + libc.encode() + b"\0"), "lib/x": b"y"})
    env = made(store, "env", {"bin": Link(f"{app}/bin")})
    everything = graph(info(env, app), info(app, app, python, libc), info(python), info(libc))
    assert root_files([info(env, app)], everything, links=False).references == {libc}
    kept = root_files([info(env, app)], everything, links=False, keep_dirlinks=True)
    assert kept.references == {app}
    assert root_files([info(env, app)], everything, links=True).references == {app}


def test_a_directory_below_a_store_path(store: Store) -> None:
    libc = made(store, "libc", {})
    app = made(store, "app", {"bin/app": Program(libc.encode()), "bin/self": Link("app")})
    everything = graph(info(app, app, libc), info(libc))
    part = info(f"{app}/bin", app, libc)
    assert root_files([part], everything, links=False).references == {libc}
    assert root_files([part], everything, links=True).references == {app}


def test_links_lead_to_files_of_a_tree_or_where_its_links_lead(store: Store) -> None:
    app = made(store, "app", {"bin/app": Program(b"")})
    only_links = made(store, "links", {"bin/app": Link(f"{app}/bin/app")})
    both = made(store, "both", {"bin/other": Link(f"{app}/bin/app"), "etc/file": b""})
    everything = graph(info(app), info(only_links, app), info(both, app))
    assert root_files([everything[only_links]], everything, links=True).references == {app}
    assert root_files([everything[both]], everything, links=True).references == {app, both}


def test_on_a_base_a_link_to_a_directory_may_become_one(store: Store) -> None:
    app = made(store, "app", {"bin/app": Program(b"")})
    env = made(store, "env", {"bin": Link(f"{app}/bin")})
    everything = graph(info(app), info(env, app))
    assert root_files([everything[env]], everything, links=True, based=True).references == {app, env}


def test_hidden_files_refer_to_nothing_and_are_reported(store: Store) -> None:
    libc, musl = made(store, "libc", {}), made(store, "musl", {})
    one = made(store, "one", {"etc/a": libc.encode(), "etc/same": b"x"})
    two = made(store, "two", {"etc/a": musl.encode(), "etc/same": b"x"})
    everything = graph(info(libc), info(musl), info(one, libc), info(two, musl))
    trees = [everything[one], everything[two]]
    copied = root_files(trees, everything, links=False)
    assert copied.references == {musl}
    assert copied.collisions == [("etc/a", two, one)]
    linked = root_files(trees, everything, links=True)
    assert linked.references == {one}
    assert linked.collisions == [("etc/a", one, two)]


def test_links_and_names_count(store: Store) -> None:
    libc, other, app = made(store, "libc", {}), made(store, "other", {}), made(store, "app", {"a/b": b""})
    linked = Link(f"../..{libc}/lib")
    env = made(store, "env", {"dir": Link(f"{app}/a"), "lib": linked, os.path.basename(other): b""})
    everything = graph(info(libc), info(other), info(app), info(env, libc, other, app))
    assert root_files([everything[env]], everything, links=False).references == {libc, other}


OTHERS = {b"%032d" % number: "y" for number in range(600)}
"""With so many, each place is looked at."""


@given(
    st.text(ALPHABET, min_size=32, max_size=32),
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.text(f"{ALPHABET}/-eE", max_size=70),
)
def test_a_hash_is_found_wherever_it_lies(digest: str, before: bytes, after: bytes, text: str) -> None:
    wanted = {digest.encode(): "x"}
    assert hashes_in(before + digest.encode() + after, wanted) == set(wanted)
    assert hashes_in(text.encode() + digest.encode() + text.encode(), wanted) == set(wanted)
    data = before + text.encode() + after
    assert hashes_in(data, wanted) == ({digest.encode()} if digest.encode() in data else set())
    many = wanted | OTHERS
    assert hashes_in(before + digest.encode() + after, many) >= set(wanted)
    assert hashes_in(data, many) == {each for each in many if each in data}


@pytest.mark.parametrize("place", [(1 << 20) - 33, (1 << 20) - 32, (1 << 20) - 1, 1 << 20, (2 << 20) - 5])
def test_a_hash_on_the_border_of_two_reads(store: Store, place: int) -> None:
    libc = made(store, "libc", {})
    app = made(store, "app", {"bin/app": b"\xff" * place + libc.encode()})
    everything = graph(info(app, libc), info(libc))
    assert root_files([info(f"{app}/bin", libc)], everything, links=False).references == {libc}
