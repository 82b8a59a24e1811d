"""Several images in one archive."""

from __future__ import annotations

from .conftest import Examples


def test_owners_stay(examples: Examples) -> None:
    scripted, bash = sorted(examples.names("mergedBashFakeRoot"), reverse=True)
    assert bash == "bash:latest"
    assert examples.run_name(scripted, "stat", "-c", "%u:%g", "/home/alice") == "1000:1000\n"
