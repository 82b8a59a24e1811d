"""docs/generated/readers.md: where Lamina and other readers of images disagree, and why.

`python -m tests.differential.page` writes it.
"""

from __future__ import annotations

from tests.differential.cases import ALL_SHAPES, CHANGES, IMAGES
from tests.differential.readers import DAEMONS
from tests.differential.reasons import DIFFERS, THEY_REFUSE, WE_REFUSE, Reason
from tests.support.builds import ROOT

PAGE = ROOT / "docs/generated/readers.md"
HEAD = """\
# Where readers of images disagree

[tests/differential](../../tests/differential) makes unusual images, and gives each to Lamina and to other readers:
{readers}.

For each reader it compares whether the image is accepted, and what is seen: names, settings, the digest of the config,
and the digests of the layers' contents. Lamina accepts an image if it can be opened, all of its layers can be read, and
another image can be built on it. A disagreement that is not on this page fails the test.

An image is a small archive with one of {images} contents, in one of these {shapes} forms:

{names}

and with one to three of these changes:

{changes}

`make test` tries the first numbers, the same each time. `make differential TIME=600` goes on from a random number for
ten minutes, prints every disagreement that is not on this page, and how often each reader was asked.

`python -m tests.differential.page` writes this page. A test compares the page with what that command would write.
"""
SECTIONS = (
    ("Both accept it, and see different things", DIFFERS),
    ("They accept what Lamina refuses", WE_REFUSE),
    ("Lamina accepts what they refuse", THEY_REFUSE),
)


def page() -> str:
    """The whole page."""
    readers = [*(name.replace(", c", " with c") for name in DAEMONS.values()), "Skopeo"]
    head = HEAD.format(
        readers=", ".join(readers),
        shapes=len(ALL_SHAPES),
        names="\n".join(f"- {name}" for name in ALL_SHAPES),
        images=len(IMAGES),
        changes="\n".join(f"- {name}" for name in CHANGES),
    )
    return head + "".join(_section(title, reasons) for title, reasons in SECTIONS)


def _section(title: str, reasons: tuple[Reason, ...]) -> str:
    rows = "".join(f"| {_readers(reason)} | {reason.why} |\n" for reason in reasons)
    if not rows:
        return f"\n## {title}\n\nNone.\n"
    return f"\n## {title}\n\n| readers | why |\n| --- | --- |\n{rows}"


def _readers(reason: Reason) -> str:
    names = reason.readers.split("|") if reason.readers else ["all"]
    return ", ".join(
        {"docker 26, containerd": "containerd", "skopeo oci": "Skopeo (OCI)"}.get(name, name) for name in names
    )


if __name__ == "__main__":
    PAGE.write_text(page())
