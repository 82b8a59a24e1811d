"""The examples of `docs/use/python.md` run, and print what the page says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import attrs
import pytest

from tests.support.archives import docker_save, sample
from tests.support.recipes import recipe, root_layer, save, write_recipe
from tests.support.trees import make_tree

PAGE = Path(__file__).parents[2] / "docs" / "use" / "python.md"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory with the two files that the page uses; it is the working directory."""
    tree = make_tree(tmp_path / "tree", {"etc/motd": b"hello\n"})
    fields = recipe(root_layer(tree), names=[{"name": "notes", "tag": "1"}])
    write_recipe(fields, tmp_path).rename(tmp_path / "image.json")
    save(docker_save([attrs.evolve(sample("a", "b"), names=("base:2",))]), tmp_path / "base.tar")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_print_what_the_page_says(files: Path) -> None:
    text = re.sub("^```.*$", "", PAGE.read_text(), flags=re.MULTILINE)  # doctest knows no fences
    page = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(page, out=said.append)
    assert (result.failed, "".join(said)) == (0, "")
    assert result.attempted > 20


def test_every_public_name_is_on_the_page() -> None:
    import lamina

    text = PAGE.read_text()
    functions = [name for name in lamina.__all__ if name.islower()]
    assert [name for name in functions if f"lamina.{name}(" not in text] == []
