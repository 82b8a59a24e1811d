"""Screenshots of `lamina report` for the documents: `python -m tests.support.screenshots` writes docs/use/report-*.png.

The page is that of two made images, which are the same on every machine.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina.commands.main import main as lamina
from tests.support.builds import ROOT
from tests.support.shown import Package, archive

OUT = ROOT / "docs/use"
LARGEST = 150_000
"""Bytes of a screenshot: everybody who clones the repository pays for them."""

_LIBC = "glibc-2.39-52"
_PYTHON = "python3-3.11.9"


def _needing(sizes: Mapping[str, int], *references: str) -> dict[str, Package]:
    """Packages with their sizes in kB, which all refer to the same ones."""
    return {name: (size * 100, references) for name, size in sizes.items()}


PACKAGES: tuple[Mapping[str, Package], ...] = (
    {
        "libunistring-1.1": (180_000, ()),
        "libidn2-2.3.7": (36_000, ("libunistring-1.1",)),
        "xgcc-13.2.0-libgcc": (14_000, ()),
        _LIBC: (3_000_000, ("libidn2-2.3.7", "xgcc-13.2.0-libgcc")),
        "gcc-13.2.0-lib": (910_000, (_LIBC,)),
        "tzdata-2024a": (190_000, ()),
        "mailcap-2.1.54": (11_000, ()),
    },
    _needing(
        {"bash-5.2p26": 1550, "zlib-1.3.1": 126, "bzip2-1.0.8": 82, "xz-5.4.6": 210, "libffi-3.4.6": 78,
         "expat-2.6.2": 240, "gdbm-1.23": 510, "ncurses-6.4": 3100, "sqlite-3.45.3": 1600, "openssl-3.0.13": 6250},
        _LIBC,
    )
    | _needing({"readline-8.2p10": 420}, "ncurses-6.4", _LIBC),
    _needing(
        {_PYTHON: 63_000}, "bash-5.2p26", "zlib-1.3.1", "bzip2-1.0.8", "xz-5.4.6", "libffi-3.4.6", "expat-2.6.2",
        "gdbm-1.23", "ncurses-6.4", "readline-8.2p10", "sqlite-3.45.3", "openssl-3.0.13", "tzdata-2024a",
        "mailcap-2.1.54", _LIBC,
    ),
    _needing({"gfortran-13.2.0-lib": 8200, "libjpeg-turbo-3.0.3": 1900, "libpng-1.6.43": 480}, "gcc-13.2.0-lib", _LIBC)
    | _needing({"openblas-0.3.27": 27_400}, "gfortran-13.2.0-lib", _LIBC)
    | _needing({"python3.11-numpy-1.26.4": 38_300}, "openblas-0.3.27", _PYTHON)
    | _needing({"python3.11-pillow-10.3.0": 5900}, "libjpeg-turbo-3.0.3", "libpng-1.6.43", _PYTHON),
    _needing({"cyrus-sasl-2.1.28": 720, "krb5-1.20.2": 2400}, "openssl-3.0.13", _LIBC)
    | _needing({"openldap-2.6.7": 1700}, "cyrus-sasl-2.1.28", "openssl-3.0.13", _LIBC)
    | _needing({"postgresql-15.7-lib": 2350}, "openldap-2.6.7", "krb5-1.20.2", "openssl-3.0.13", _LIBC)
    | _needing({"python3.11-psycopg2-2.9.9": 940}, "postgresql-15.7-lib", _PYTHON)
    | _needing({"python3.11-greenlet-3.0.3": 1150}, "gcc-13.2.0-lib", _PYTHON)
    | _needing({"python3.11-sqlalchemy-2.0.30": 14_600}, "python3.11-greenlet-3.0.3", _PYTHON),
    _needing(
        {"python3.11-markupsafe-2.1.5": 120, "python3.11-click-8.1.7": 830, "python3.11-itsdangerous-2.2.0": 130,
         "python3.11-blinker-1.8.2": 110, "python3.11-gunicorn-22.0.0": 900, "python3.11-requests-2.31.0": 560},
        _PYTHON,
    )
    | _needing({"python3.11-jinja2-3.1.4": 2100, "python3.11-werkzeug-3.0.3": 2600}, "python3.11-markupsafe-2.1.5")
    | _needing(
        {"python3.11-flask-3.0.3": 860}, "python3.11-jinja2-3.1.4", "python3.11-werkzeug-3.0.3",
        "python3.11-click-8.1.7", "python3.11-itsdangerous-2.2.0", "python3.11-blinker-1.8.2",
    ),
    {
        "nss-cacert-3.98": (48_000, ()),
        "shop-assets-1.4": (1_240_000, ()),
        "shop-1.4": (
            86_000,
            ("python3.11-flask-3.0.3", "python3.11-gunicorn-22.0.0", "python3.11-sqlalchemy-2.0.30", "nss-cacert-3.98",
             "python3.11-psycopg2-2.9.9", "python3.11-pillow-10.3.0", "python3.11-numpy-1.26.4", "shop-assets-1.4",
             "python3.11-requests-2.31.0"),
        ),
    },
)  # fmt: skip
"""A web application of usual packages, with a tenth of their usual sizes, by layer."""

CHANGES = {
    "openblas-0.3.27": "openblas-0.3.28",
    "python3.11-pillow-10.3.0": "python3.11-pillow-10.4.0",
    "shop-assets-1.4": "shop-assets-1.5",
    "shop-1.4": "shop-1.5",
}
REBUILT = frozenset({"python3.11-numpy-1.26.4", "shop-1.4"})


@attrs.frozen
class Shot:
    """A screenshot: what the browser is like, and what a person does before it is taken."""

    name: str
    width: int
    height: int
    dark: bool = False
    touch: bool = False
    chosen: str | None = None
    heading: str | None = None


SHOTS = (
    Shot("desktop", 1200, 900),
    Shot("dark", 1200, 900, dark=True, chosen="libpng-1.6.43", heading="map-title"),
    Shot("difference", 1200, 900, heading="difference-title"),
    Shot("phone", 390, 844, touch=True),
)


def make_page(directory: Path) -> Path:
    """The page of the new image, compared with the old one."""
    for name in ("old", "new"):
        archive(directory / f"{name}.tar", is_new=name == "new", packages=PACKAGES, changes=CHANGES, rebuilt=REBUILT)
    new, old, out = (str(directory / name) for name in ("new.tar", "old.tar", "page.html"))
    assert lamina(["report", new, "--against", old, "-o", out]) == 0
    return Path(out)


def take(browser: Any, page: Path, shot: Shot) -> bytes:
    """The PNG."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        has_touch=shot.touch,
        reduced_motion="reduce",
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]")
    if shot.chosen:
        tab.click(f"tbody >> text='{shot.chosen}'")
    if shot.heading:
        tab.evaluate(f"document.getElementById('{shot.heading}').scrollIntoView()")
    png: bytes = tab.screenshot()
    context.close()
    return png


def main(out: Path = OUT) -> None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("playwright is missing; run: dev/setup.sh test-all")
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing; run: dev/setup.sh test-all")
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = make_page(Path(directory))
        for shot in SHOTS:
            png = take(browser, page, shot)
            assert len(png) < LARGEST, f"{shot.name}: {len(png)} bytes"
            (out / f"report-{shot.name}.png").write_bytes(png)
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
