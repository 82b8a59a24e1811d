"""A wrong digest in the cache: into a pipe Lamina writes an image that has it, and every consumer refuses that image.

This is what a wrong entry can do at most: no consumer runs other bytes than those whose digest the image states.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lamina.image.cache import Cache
from lamina.image.hashing import with_digests
from lamina.oci.digest import sha256
from lamina.recipe.open import open_image
from tests.support.builds import COMMAND
from tests.support.consumers.adapters import KINDS, Consumer, ConsumerError
from tests.support.consumers.base import unique
from tests.support.consumers.loading import KINDS as LOADED
from tests.support.consumers.loading import loader_for
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.trees import Program, Store

READERS = [
    kind for kind in KINDS if KINDS[kind].family in ("docker", "podman", "containerd", "buildah", "umoci", "skopeo")
]
"""Those that take an archive of ours by themselves, and unpack it."""


@pytest.fixture
def name() -> str:
    return unique("wrong")


@pytest.fixture
def image(name: str, store: Store, tmp_path: Path) -> Path:
    """A recipe with content that no consumer has yet, and a program that says something."""
    program = Program(Path("/bin/busybox").read_bytes())
    path = store.add("one", {"busybox": program, "f": os.urandom(1000)})
    config = {"Cmd": [f"{path}/busybox", "echo", "hello"]}
    return write_recipe(recipe(store_layer(path), names=[{"name": name, "tag": "1"}], config=config), tmp_path)


def spoil(image: Path, cache: Path) -> None:
    """Remember another digest for the layer of the recipe."""
    [layer] = with_digests(open_image(image), None).layers
    assert layer.key and layer.size
    Cache(cache / "lamina").remember(layer.key, sha256(os.urandom(32)), layer.size)


def streamed(image: Path, cache: Path, archive: Path) -> Path:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([COMMAND, "build", image, "-o", "-"], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    archive.write_bytes(done.stdout)
    return archive


def runs(consumer: Consumer, name: str) -> bool:
    if "run" in consumer.cannot:
        return True
    try:
        return consumer.run(name).stdout.strip() == "hello"
    except ConsumerError:
        return False


def loaded(consumer: Consumer, archive: Path, name: str) -> tuple[bool, list[str]]:
    """Whether the consumer takes the archive without a complaint, and its names for the image."""
    try:
        return True, consumer.load(archive)
    except ConsumerError:
        return False, [each for each in consumer.names() if name in each]


@pytest.mark.parametrize("kind", READERS)
def test_an_archive_with_a_wrong_digest(
    kind: str, name: str, image: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Most refuse to load it. umoci reads layers when it unpacks them; containerd keeps a name that it cannot run."""
    consumer: Consumer = request.getfixturevalue(kind)
    spoil(image, tmp_path / "wrong")
    is_taken, names = loaded(consumer, streamed(image, tmp_path / "wrong", tmp_path / "wrong.tar"), name)
    assert not is_taken or (names and "run" not in consumer.cannot)
    assert not [each for each in names if runs(consumer, each)]
    for each in names:
        consumer.remove(each)
    is_taken, names = loaded(consumer, streamed(image, tmp_path / "right", tmp_path / "right.tar"), name)
    assert is_taken and len(names) == 1 and runs(consumer, names[0])
    consumer.remove(names[0])


@pytest.mark.parametrize("kind", LOADED)
def test_loading_with_a_wrong_digest(
    kind: str, name: str, image: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The client's refusal is an error of `lamina load`; with --check the cache is corrected, so that it can go on."""
    loader = loader_for(request.getfixturevalue(kind), tmp_path)
    spoil(image, tmp_path / "cache")
    refused = loader.run(image)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    for each in [each for each in loader.consumer.names() if name in each]:
        loader.consumer.remove(each)  # with containerd's store, Docker too keeps the name of what it refused
    words: list[str | Path] = [COMMAND, "load", image, "--to", loader.to, "--check"]
    checked = subprocess.run(words, env=loader.environment, capture_output=True, text=True, timeout=600)
    assert checked.returncode == 1 and "was remembered; run the command again" in checked.stderr
    again = loader.run(image)
    assert again.returncode == 0, again.stderr
    loader.consumer.remove(loader.spelling(f"{name}:1"))
