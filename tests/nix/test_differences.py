"""Intended differences from dockerTools, each with its value; docs/use/from-dockertools.md lists them."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import tarfile
from datetime import datetime
from typing import Any

import pytest

from tests.support.builds import COMMAND, expression, nix_build
from tests.support.files import Entry, exported

TREE = 'pkgs.runCommand "tree" { } "mkdir -p $out/etc; echo x > $out/etc/x"'


def files_of(arguments: str) -> dict[str, Entry]:
    image = f'lamina.dockerTools.buildImage {{ name = "x"; copyToRoot = [ ({TREE}) pkgs.hello ]; {arguments} }}'
    return exported(nix_build(*expression(f"({image}).recipe")))


@pytest.mark.parametrize("script", ["", 'extraCommands = "mkdir etc/z; echo z > etc/z/file";'])
def test_files_at_the_root_have_the_first_second_and_directories_can_be_written_to(script: str) -> None:
    """In dockerTools 1980 and 0555, so that `mkdir etc/z` fails without a chmod."""
    files = files_of(script)
    assert files["etc/x"].data == b"x\n" and ("etc/z/file" in files) == bool(script)
    assert {entry.info.mtime for entry in files.values()} == {1}
    directories = {name for name, entry in files.items() if entry.info.isdir() and not name.startswith("nix/")}
    assert {"etc", "bin"} <= directories
    assert {stat.S_IMODE(files[name].info.mode) for name in directories} == {0o755}


def test_now_is_the_time_of_the_recipe() -> None:
    """In dockerTools of the run, so that two archives differ."""
    stream = nix_build(*expression('lamina.dockerTools.streamLayeredImage { name = "x"; created = "now"; }'))
    first, second = (subprocess.run([stream], capture_output=True, check=True, timeout=60).stdout for _ in range(2))
    assert first == second
    assert datetime.fromisoformat(config_of(first)["created"]).year > 2020


def test_the_config_document_has_no_fields_by_accident() -> None:
    """buildImage of dockerTools adds `preferLocalBuild`, and an empty `Env`."""
    archive = nix_build(*expression('lamina.dockerTools.buildImage { name = "x"; compressor = "none"; }'))
    config = config_of(archive.read_bytes())
    assert set(config) == {"architecture", "os", "created", "config", "rootfs", "history"}
    assert config["config"] == {}


def config_of(archive: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        [image] = json.load(members.extractfile("manifest.json"))  # type: ignore[arg-type]
        config: dict[str, Any] = json.load(members.extractfile(image["Config"]))  # type: ignore[arg-type]
    return config


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("", "1970-01-01T00:00:01Z"),
        ('created = "2001-02-03T04:05:06+02:00";', "2001-02-03T04:05:06+02:00"),
        ('created = "2001-02-03T04:05:06Z";', "2001-02-03T04:05:06Z"),
    ],
)
@pytest.mark.parametrize("function", ["buildImage", "streamLayeredImage"])
def test_the_time_of_creation_is_as_written(function: str, created: str, expected: str) -> None:
    """streamLayeredImage of dockerTools converts it to UTC, and ends it in +00:00."""
    image = f'lamina.dockerTools.{function} {{ name = "x"; {created} }}'
    recipe = nix_build(*expression(f"({image}).recipe"))
    done = subprocess.run([COMMAND, "inspect", "--json", recipe], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout)[0]["config"]["created"] == expected
