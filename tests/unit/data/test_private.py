"""The cache belongs to the user alone, and there is none where nothing may be left."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.data import private
from lamina.data.private import PrivateDirectory
from lamina.image.cache import Cache
from lamina.oci.digest import sha256
from tests.support.fixtures import Command
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.trees import Store

KEY, DIGEST = "ab" * 32, sha256(b"x")
FILE = ("layers", KEY[:2], KEY[2:])


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(params=["with O_TMPFILE", "without"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.delattr(os, "O_TMPFILE")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_other_users_have_no_access(umask: int, cache: Cache) -> None:
    before = os.umask(umask)
    try:
        cache.remember(KEY, DIGEST, 1)
        cache.remember(KEY, DIGEST, 2)
    finally:
        os.umask(before)
    assert cache.directory
    if not umask & 0o700:
        assert cache.layer(KEY) == (DIGEST, 2)
        found = {path: stat.S_IMODE(path.stat().st_mode) for path in [cache.directory, *cache.directory.rglob("*")]}
        assert set(found.values()) == {0o700, 0o600} and len(found) == 4


def test_a_cache_that_others_can_read_is_closed_to_them(cache: Cache) -> None:
    assert cache.directory
    cache.remember(KEY, DIGEST, 1)
    cache.directory.chmod(0o755)
    assert cache.layer(KEY) == (DIGEST, 1)
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700


def writable(path: Path) -> None:
    path.chmod(0o777)


def writable_by_the_group(path: Path) -> None:
    path.chmod(0o770 if path.is_dir() else 0o660)


def a_link(path: Path) -> None:
    moved = path.with_name("moved")
    path.rename(moved)
    path.symlink_to(moved)


def of_another(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(path, 12345, 0)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


SPOILT = [(change, depth) for change in (writable, writable_by_the_group, a_link, of_another) for depth in range(4)]


@pytest.mark.parametrize("change, depth", [*SPOILT, (a_pipe, 3)])
def test_what_others_could_have_written_is_not_read(change: Callable[[Path], None], depth: int, cache: Cache) -> None:
    cache.remember(KEY, DIGEST, 1)
    assert cache.layer(KEY) and cache.directory
    change(cache.directory.joinpath(*FILE[:depth]))
    assert cache.layer(KEY) is None


@pytest.mark.parametrize("depth", range(3))
def test_nothing_is_written_through_a_link(depth: int, cache: Cache, tmp_path: Path) -> None:
    assert cache.directory
    (tmp_path / "victim").mkdir()
    link = cache.directory.joinpath(*FILE[:depth])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "victim")
    cache.remember(KEY, DIGEST, 1)
    assert not os.listdir(tmp_path / "victim")


def test_an_entry_that_is_a_link_is_replaced(cache: Cache, tmp_path: Path) -> None:
    cache.remember(KEY, DIGEST, 1)
    assert cache.directory
    entry, victim = cache.directory.joinpath(*FILE), tmp_path / "victim"
    victim.write_bytes(b"stays")
    entry.unlink()
    entry.symlink_to(victim)
    cache.remember(KEY, DIGEST, 2)
    assert (victim.read_bytes(), cache.layer(KEY)) == (b"stays", (DIGEST, 2))


def test_a_long_file_is_not_read(tmp_path: Path) -> None:
    directory = PrivateDirectory(tmp_path / "private")
    directory.write("f", data=bytes(100))
    assert directory.read("f", limit=100) == bytes(100)
    assert directory.read("f", limit=99) is None
    assert private.__doc__


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Path:
    return write_recipe(recipe(store_layer(store.add("one", {"f": b"x"}))), tmp_path)


@pytest.mark.parametrize(
    "change, problem",
    [
        (writable, "can be written to by other users"),
        (writable_by_the_group, "can be written to by other users"),
        (a_link, "is a symbolic link"),
        (of_another, "belongs to another user"),
    ],
)
@pytest.mark.parametrize("output", ["out.tar", "-"])
def test_one_line_says_why_it_is_not_used(
    change: Callable[[Path], None], problem: str, output: str, image: Path, lamina: Command, tmp_path: Path
) -> None:
    directory = tmp_path / "home" / "lamina"
    directory.mkdir(parents=True)
    change(directory)
    done = lamina("build", image, "-o", output, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")})
    line = f"lamina: {directory}: the cache {problem}, so it is not used; remove it, or set XDG_CACHE_HOME\n"
    assert (done.returncode, done.stderr.decode()) == (0, line)
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def environment(**changes: str | None) -> dict[str, str]:
    names = ("HOME", "XDG_CACHE_HOME", "NIX_BUILD_TOP", "NIX_ENFORCE_PURITY", "IN_NIX_SHELL")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return inherited | {name: value for name, value in changes.items() if value is not None}


NO_CACHE: dict[str, dict[str, str | None]] = {
    "in a build": {"HOME": "{}/home", "NIX_BUILD_TOP": "{}"},
    "in a build with a cache": {"HOME": "{}/home", "XDG_CACHE_HOME": "{}/xdg", "NIX_BUILD_TOP": "{}"},
    "in a pure build": {"HOME": "{}/home", "NIX_ENFORCE_PURITY": "1"},
    "without a home": {"HOME": "/homeless-shelter"},
    "without a home, with a slash": {"HOME": "/homeless-shelter/"},
    "cache in no home": {"HOME": "{}/home", "XDG_CACHE_HOME": "/homeless-shelter/.cache"},
    "no variables": {},
    "an empty home": {"HOME": ""},
    "a relative home": {"HOME": "home"},
    "an empty cache": {"HOME": "", "XDG_CACHE_HOME": ""},
    "a relative cache": {"HOME": "{}/home", "XDG_CACHE_HOME": "cache"},
    "a cache that is a dot": {"HOME": "{}/home", "XDG_CACHE_HOME": "."},
}


@pytest.mark.parametrize("variables", NO_CACHE.values(), ids=NO_CACHE)
def test_where_nothing_may_be_left(
    variables: dict[str, str | None], image: Path, lamina: Command, tmp_path: Path
) -> None:
    changes = {name: value and value.format(tmp_path) for name, value in variables.items()}
    before = sorted(os.listdir(tmp_path))
    for words in (("build", image, "-o", "out.tar"), ("build", image, "-o", "-"), ("inspect", image)):
        done = lamina(*words, env=environment(**changes))
        assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "out.tar"])
    assert not Path("/homeless-shelter").exists()


CACHE: dict[str, tuple[dict[str, str | None], str]] = {
    "by default": ({"HOME": "{}/home"}, "home/.cache/lamina"),
    "elsewhere": ({"HOME": "{}/home", "XDG_CACHE_HOME": "{}/xdg"}, "xdg/lamina"),
    "in nix-shell": ({"HOME": "{}/home", "NIX_BUILD_TOP": "{}", "IN_NIX_SHELL": "impure"}, "home/.cache/lamina"),
    "in a pure nix-shell": (
        {"HOME": "{}/home", "NIX_BUILD_TOP": "{}", "NIX_ENFORCE_PURITY": "0", "IN_NIX_SHELL": "pure"},
        "home/.cache/lamina",
    ),
}


@pytest.mark.parametrize("variables, place", CACHE.values(), ids=CACHE)
def test_where_digests_are_remembered(
    variables: dict[str, str | None], place: str, image: Path, lamina: Command, tmp_path: Path
) -> None:
    changes = {name: value and value.format(tmp_path) for name, value in variables.items()}
    assert lamina("build", image, "-o", "out.tar", env=environment(**changes)).returncode == 0
    [entry] = [path for path in (tmp_path / place).rglob("*") if path.is_file()]
    assert json.loads(entry.read_bytes())["diffId"]
