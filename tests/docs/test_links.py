"""Every relative link in every Markdown file leads to a file, and to a heading of it where it names one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documents import pages

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_DEFINITION = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def links(text: str) -> list[str]:
    """The targets of the links in a page that are neither in code nor on another server."""
    prose = _FENCED.sub("", text)
    targets = [*_LINK.findall(_CODE.sub("code", prose)), *_DEFINITION.findall(prose)]
    return [target for target in targets if not _ELSEWHERE.match(target)]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: dict[str, int] = {}
    for line in _FENCED.sub("", text).splitlines():
        if heading := re.match(r"#{1,6}\s+(.*?)\s*#*$", line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            number = found[anchor] = found.get(anchor, -1) + 1
            if number:
                found[f"{anchor}-{number}"] = 0
    return set(found)


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for target in links(page.read_text()):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file.read_text())):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_every_document_is_reached_from_the_readme() -> None:
    """A page that no page refers to is never read."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        files = [(page.parent / target.partition("#")[0]).resolve() for target in links(page.read_text())]
        waiting += [file for file in files if file.suffix == ".md" and file.exists()]
    documents = {page.resolve() for page in pages() if page.is_relative_to(ROOT / "docs")}
    assert documents - reached == set()


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("# A title\n\n## `code` and (more)\n\n## Twice\n\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#code-and-more) [c](other.md#twice-1) [d](https://example.org/none) `[e](none)`\n\n"
        "```\n[f](none)\n```\n\n[g](gone.md) [h](other.md#gone) ![i](gone.svg) [j](#gone)\n\n[k]: gone.txt\n"
    )
    assert broken(page) == ["gone.md", "other.md#gone", "gone.svg", "#gone", "gone.txt"]


def test_readme_lists_every_example() -> None:
    """With its name and its file."""
    text = (ROOT / "README.md").read_text()
    files = dict(re.findall(r"(\w+) = example \./([\w-]+\.nix);", (ROOT / "examples/default.nix").read_text()))
    listed = dict(re.findall(r"^\| `(\w+)` \| \[[\w-]+\.nix\]\(examples/([\w-]+\.nix)\) \| .+ \|$", text, re.MULTILINE))
    assert listed == files
    assert len(listed) > 15
