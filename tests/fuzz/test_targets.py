"""Every reader, given seeds that were damaged at random: the same oracle as the fuzzer's, in every run of the tests."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import targets
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, archive
from tests.support.archives import docker_save, sample
from tests.support.needs import need
from tests.support.recipes import archive_of, base, recipe, root_layer, save
from tests.support.selection import thorough
from tests.support.trees import make_tree

SEEDS = seeds()
JUDGED = ("tar_judge", "document_judge")
PIECES = [b"", b"\0", b"\xff", b"9" * 20, b"-1", b"../", b"/", b"\x80" * 12, b"[" * 200, b'"', b"{}", b"null",
          b"\x1b[31m", "\u202e".encode(), bytes(512), b"\n--\n"]  # fmt: skip
"""What goes in the place of some bytes: numbers, names and markers that readers have stumbled over."""

Edit = tuple[float, int, bytes]
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.sampled_from(PIECES)), min_size=1, max_size=4)


def _need_the_judge(name: str) -> None:
    if name in JUDGED:
        need("go", "golang-go")


def damaged(data: bytes, edits: list[Edit]) -> bytes:
    """Each edit takes some bytes away and puts others there; its place is a share of the whole."""
    for share, length, piece in edits:
        at = int(share * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS) and all(SEEDS.values())


READERS = sorted(set(TARGETS) - {"documents"})


@pytest.mark.parametrize("name", [pytest.param(name, marks=[thorough] * (name in JUDGED)) for name in READERS])
def test_the_seeds_are_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the fuzzer would see how a reader begins, and no more. (No document is a descriptor and a lock, too.)"""
    monkeypatch.setattr(targets, "check_line", lambda line: pytest.fail(line) if ";" in line else None)
    _need_the_judge(name)
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_damaged_an_answer_is_one_line(name: str) -> None:
    _need_the_judge(name)

    @settings(max_examples=30)
    @given(st.sampled_from(SEEDS[name]), edits)
    def try_it(seed: bytes, edits: list[Edit]) -> None:
        TARGETS[name](damaged(seed, edits))

    try_it()


def test_archives_of_lamina_s_own_that_were_damaged(tmp_path: Path) -> None:
    below = save(docker_save([sample()]), tmp_path / "base.tar")
    tree = make_tree(tmp_path / "tree", {"etc/motd": b"hello"})
    path = archive_of(recipe(root_layer(tree), base=base(below)), tmp_path / "out.tar")
    plain = path.read_bytes()

    @settings(max_examples=30)
    @given(st.sampled_from([plain, gzip.compress(plain, mtime=0)]), edits)
    def try_it(seed: bytes, edits: list[Edit]) -> None:
        archive(damaged(seed, edits))

    try_it()


def test_a_real_archive_that_was_damaged(alpine: Path) -> None:
    seed = gzip.decompress(alpine.read_bytes())

    @settings(max_examples=15)
    @given(edits)
    def try_it(edits: list[Edit]) -> None:
        archive(damaged(seed, edits))

    try_it()
