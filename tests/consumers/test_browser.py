"""The page of `lamina report` in a browser: clicks, keys, search, themes, a phone, accessibility, no request."""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.report.page.render import page

pytestmark = pytest.mark.thorough
_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
EVIL = "</script><img src=x onerror=alert(1)>"
DIFFERENCE = {"summary": EVIL, "tables": [["New layers", ["layer", "why"], [["1", EVIL], ["2", "x" * 300]]]]}
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1200, "height": 900}


def big_data(count: int = 2000, layers: int = 40) -> dict[str, Any]:
    """An image of many store paths, each of which refers to ten others, with a name that would like to be markup."""
    choice = random.Random(1)

    def path(number: int) -> str:
        digest = hashlib.sha256(b"%d" % number).digest()
        return "/nix/store/" + "".join(_DIGITS[byte % 32] for byte in digest) + f"-package-{number}-1.0"

    paths = [
        [name, number % layers, int(choice.paretovariate(0.7) * 20_000), choice.sample(range(number), min(number, 10))]
        for number, name in enumerate(sorted(map(path, range(count))))
    ]
    file = {"fileBytes": 12_345, "files": [["etc/<b>motd", 12_345]]}
    described = [
        {"diffId": f"sha256:{number:064}", "size": 10**7, "createdBy": "", "fileCount": int(number == 4), **file}
        for number in range(layers)
    ]
    return {"name": f"team/app:1 {EVIL}", "imageId": f"sha256:{0:064}", "config": {"config": {"Cmd": [EVIL]}},
            "layers": described, "paths": paths, "hasReferences": True, "difference": DIFFERENCE}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="dev/setup.sh test-all installs it")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: dev/setup.sh test-all installs it")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open the page; afterwards, nothing was requested but the page, and nothing is in the console."""
    file = tmp_path / "page.html"
    file.write_text(page(big_data()))
    assert file.stat().st_size < 1_000_000
    said: list[str] = []
    requested: list[str] = []

    def opened(**settings: Any) -> Any:
        tab = browser.new_context(**{"viewport": DESKTOP, **settings}).new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.on("request", lambda request: requested.append(request.url))
        tab.goto(file.as_uri())
        tab.wait_for_selector("html[data-ready]")
        return tab

    yield opened
    assert said == [] and set(requested) == {file.as_uri()}


def test_search_and_sort(show: Any) -> None:
    tab = show()
    assert tab.inner_text("#title").startswith("team/app:1 </script>")
    assert tab.inner_text("#count").startswith("2001 of 2001 rows")
    assert tab.locator("#table tbody tr").count() == 200
    tab.click("#more")
    assert tab.locator("#table tbody tr").count() == 2001
    tab.fill("#search", "PACKAGE-17 1.0")
    names = tab.locator("#table tbody tr td:first-child").all_inner_texts()
    assert names and all("package-17" in name for name in names)
    tab.click("th button[data-key=name]")
    assert tab.locator("#table tbody tr td:first-child").all_inner_texts() == sorted(names)
    assert tab.get_attribute("#table th:first-child", "aria-sort") == "ascending"
    tab.click("th button[data-key=name]")
    assert tab.locator("#table tbody tr td:first-child").all_inner_texts() == sorted(names, reverse=True)
    tab.fill("#search", "no such path")
    assert tab.inner_text("#count").startswith("0 of 2001")


def test_differences_are_tables(show: Any) -> None:
    tab = show()
    assert tab.inner_text("#changes p") == EVIL
    assert tab.inner_text("#changes caption") == "New layers"
    assert tab.locator("#changes td").all_inner_texts() == ["1", EVIL, "2", "x" * 300]
    tab.click("th button[data-key=name]")
    assert tab.locator("#changes th[aria-sort]").count() == 0


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_labels_are_inside_their_boxes(show: Any, viewport: dict[str, int]) -> None:
    """A size that is cut would be read as another one."""
    tab = show(viewport=viewport)
    cut = "(spans) => spans.filter((span) => span.scrollWidth > span.parentElement.clientWidth).length"
    assert tab.locator("#map .size").count() > 3
    assert tab.eval_on_selector_all("#map .size", cut) == 0
    bottom = "span.offsetTop + span.offsetHeight > span.parentElement.offsetHeight + 1"
    below = f"(spans) => spans.filter((span) => {bottom}).length"
    assert tab.eval_on_selector_all("#map span", below) == 0


def test_chains_by_click_and_by_keys(show: Any) -> None:
    tab = show()
    rows = big_data()["paths"]
    path, layer, _, references = rows[500]
    name = path[44:]
    tab.fill("#search", name)
    tab.click(f"#table tbody >> text='{name}'")
    assert tab.inner_text("#detail-title") == name and f"layer {layer + 1}" in tab.inner_text("#facts")
    assert tab.locator("#references li").all_inner_texts() == [rows[at][0][44:] for at in references]
    chain = tab.locator("#chain li").all_inner_texts()
    position = {row[0][44:]: number for number, row in enumerate(rows)}
    numbers = [position[item] for item in chain]
    assert chain[-1] == name
    assert all(below in rows[above][3] for above, below in itertools.pairwise(numbers))
    assert not any(numbers[0] in row[3] for row in rows)
    tab.focus("#map button")
    tab.keyboard.press("ArrowRight")
    label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    tab.keyboard.press("Enter")
    assert label.startswith(tab.inner_text("#detail-title") + ", ")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes_widths_and_accessibility(show: Any, viewport: dict[str, int], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = show(viewport=viewport, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert tab.locator("#map button").count() > 50
    tab.click("#map button >> nth=0")
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert [found["id"] for found in axe.run(tab).response["violations"]] == []
    tab.click("#theme")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert [found["id"] for found in axe.run(tab).response["violations"]] == []


def test_two_thousand_paths_are_fast(show: Any) -> None:
    """Processor time of the page's own script and layout, which other work on the machine does not change."""
    tab = show()
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.reload()
    tab.wait_for_selector("html[data-ready]")
    metrics = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    assert metrics["TaskDuration"] < 1
