"""What consumers write is a base: whole, and with the config and the layers of the image that went in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builds import COMMAND
from tests.support.consumers import scores
from tests.support.consumers.adapters import KINDS, KINDS_OF_FORKY, Consumer
from tests.support.consumers.base import Form, unique
from tests.support.consumers.scores import FORMS, PAIRS
from tests.support.reading import read_image
from tests.support.replays import archives
from tests.support.replays.archives import Image


@pytest.mark.parametrize(("kind", "form"), PAIRS)
def test_saved(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    kind: str,
    form: Form,
) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    files = {"etc/greeting": f"from {kind}\n"}
    image = archives.image(f"{unique('image')}:1", files=files, extra=[archives.file_layer(files)])
    [name] = consumer.load(archives.write(tmp_path / "image.tar", archives.universal(image)))
    saved = tmp_path / "saved.tar"
    consumer.save(name, saved, form)
    consumer.remove(name)
    verified = lamina("verify", saved)
    assert verified.returncode == 0, verified.stderr
    assert_same(saved, image)
    failing = scores.failing(saved)
    if kind in KINDS_OF_FORKY:
        return
    row = (scores.tool(kind), consumer.version(), form)
    for key, value in zip(("tool", "version", "form"), row, strict=True):
        record_property(key, value)
    record_property("failing", " ".join(failing))
    assert scores.scores_in(scores.PAGE.read_text())[row] == failing, "docs/generated/saved.md differs: make scores"


def assert_same(saved: Path, image: Image) -> None:
    """As it is read, and as a base of another image; some consumers compress layers or write the config anew."""
    read = read_image(saved)
    assert read.diff_ids == [f"sha256:{diff_id}" for diff_id in image.diff_ids]
    assert read.config["config"] == image.config
    child = saved.with_name("child.tar")
    recipe = {
        "version": 1,
        "names": [{"name": "child", "tag": "1"}],
        "architecture": "amd64",
        "created": archives.CREATED,
        "config": {"Env": ["CHILD=1"]},
        "base": {"path": str(saved), "name": None, "tag": None},
        "layers": [],
    }
    (saved.parent / "child.json").write_text(json.dumps(recipe))
    built = lamina("build", saved.with_name("child.json"), "-o", child)
    assert built.returncode == 0, built.stderr
    inherited = read_image(child)
    assert inherited.diff_ids == read.diff_ids
    assert set(inherited.config["config"]["Env"]) == {*image.config["Env"], "CHILD=1"}


def lamina(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_forms_are_those_of_the_consumer(kind: str, request: pytest.FixtureRequest) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    assert consumer.saves == FORMS.get(KINDS[kind].family, ())
