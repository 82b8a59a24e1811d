"""The page of `lamina report`: its data, and that nothing of an image becomes markup. Browsers: tests/consumers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lamina.report.page.render import page
from tests.support.archives import docker_save, layer_of, sample
from tests.support.fixtures import Command
from tests.support.recipes import archive_of, recipe, save, store_layer, write_recipe
from tests.support.shown import archive
from tests.support.trees import Store

EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\u2028&amp;"


class Parsed(HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts.append(data)


def data_of(text: str) -> Any:
    return json.loads(Parsed(text).texts[1])


@given(st.text() | st.just(EVIL))
def test_no_text_becomes_markup(text: str) -> None:
    empty, made = Parsed(page({"name": ""})), Parsed(page({"name": text}))
    assert made.tags == empty.tags
    assert json.loads(made.texts[1]) == {"name": text}


def test_the_policy_allows_the_page_s_own_code_and_nothing_else() -> None:
    parsed = Parsed(page({}))
    policy = dict(parsed.attributes)["content"]
    policies = [value for name, value in parsed.attributes if name == "content" and value and "default-src" in value]
    assert policies and policies[0].startswith("default-src 'none'; ")
    style, _, script = parsed.texts
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policies[0]
    assert not [name for name, _ in parsed.attributes if name in ("src", "href", "style") or name.startswith("on")]
    assert "unsafe" not in policies[0] and policy
    assert not re.search(r"innerHTML|outerHTML|document\.write|eval\(|fetch\(|XMLHttp|https?://", style + script)


def test_data(tmp_path: Path, lamina: Command) -> None:
    store = Store(tmp_path / "nix/store")
    lib, app = store.add("lib-3", {"so": b"x" * 600}), store.add("app-1", {"bin/app": b"x"})
    fields = recipe(store_layer(lib), store_layer(app))
    fields["references"] = ["", "0"]
    out = tmp_path / "out.html"
    assert lamina("report", write_recipe(fields, tmp_path), "-o", out).returncode == 0
    data = data_of(out.read_text())
    paths = {path: (layer, references) for path, layer, _, references in data["paths"]}
    position = {path: number for number, path in enumerate(sorted(paths))}
    assert paths[lib] == (0, []) and paths[app] == (1, [position[lib]])
    assert (data["name"], data["hasReferences"], data["difference"]) == ("app:1", True, None)
    archive = archive_of(fields, tmp_path / "it.tar")
    assert lamina("report", archive, "--against", archive, "-o", out).returncode == 0
    assert data_of(out.read_text())["difference"] == {"summary": "No change: the same image.", "tables": []}


def test_images_of_other_tools(tmp_path: Path, lamina: Command) -> None:
    files = {f"etc/{name}": b"x" * 100 for name in ("<b>", "motd")}
    path = save(docker_save([sample(layers=(layer_of(files),))]), tmp_path / "it.tar")
    assert lamina("report", path, "-o", tmp_path / "out.html").returncode == 0
    [layer] = data_of((tmp_path / "out.html").read_text())["layers"]
    assert [name for name, _ in layer["files"]] == ["etc/<b>", "etc/motd"] and layer["fileCount"] == 2


def test_files_are_searched_for_references(tmp_path: Path, lamina: Command) -> None:
    archive(tmp_path / "it.tar", is_new=True)
    assert lamina("report", tmp_path / "it.tar", "-o", tmp_path / "out.html").returncode == 0
    data = data_of((tmp_path / "out.html").read_text())
    names = [path[44:] for path, *_ in data["paths"]]
    references = data["paths"][names.index("shop-1.5")][3]
    assert sorted(names[position] for position in references) == ["python3-3.11.9", "tzdata-2024a"]
