"""Standard output and standard error that the shell closed, or that are full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.recipes import recipe, root_layer, write_recipe
from tests.support.trees import make_tree


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_recipe(recipe(root_layer(make_tree(tmp_path / "tree", {"f": b"x"}))), tmp_path)


def run(words: str, redirection: str, image: Path) -> subprocess.CompletedProcess[str]:
    command = f'"$0" -m lamina {words.replace("IMAGE", str(image))} {redirection}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable], cwd=image.parent, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("words", ["--version", "help plan", "inspect IMAGE", "plan IMAGE --json", "verify IMAGE"])
def test_standard_output_is_closed(words: str, image: Path) -> None:
    done = run(words, ">&-", image)
    assert (done.returncode, done.stderr) == (1, "lamina: output: Bad file descriptor\n")


def test_a_command_that_prints_nothing_needs_no_standard_output(image: Path) -> None:
    done = run("build IMAGE -o out.tar", ">&- 2>&-", image)
    assert done.returncode == 0
    assert (image.parent / "out.tar").stat().st_size > 0


@pytest.mark.parametrize("words", ["inspect missing.tar", "build IMAGE", "build missing.json -o -"])
def test_a_message_for_closed_standard_error_is_not_in_the_output(words: str, image: Path) -> None:
    seen, unseen = run(words, "", image), run(words, "2>&-", image)
    assert seen.stderr
    assert (unseen.returncode, unseen.stdout) == (seen.returncode, "")


@pytest.mark.parametrize(("words", "status"), [("inspect missing.tar", 1), ("build IMAGE -o /dev/tty0/x", 1), ("x", 2)])
def test_the_exit_status_is_the_same_if_standard_error_is_full(words: str, status: int, image: Path) -> None:
    assert run(words, "2>/dev/full", image).returncode == status
