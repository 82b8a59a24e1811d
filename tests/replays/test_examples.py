"""Every example through Mesos' puller and through two custom pushers, and held to what each consumer needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.compat.check import ALL
from lamina.report.verify import verify
from tests.support.built_examples import Built
from tests.support.consumers.registry import Registry
from tests.support.consumers.skopeo import Skopeo
from tests.support.examples import EXAMPLES, Example
from tests.support.replays import mesos, pushers

Build = Callable[[str], Built]

ATTRIBUTES = [example.attribute for example in EXAMPLES]


def spellings(example: Example, tag: str) -> list[str]:
    """How a user may write the name, who has it in `docker_registry` under each."""
    return [f"{registry}{example.familiar}:{tag}" for registry in ("", "localhost:5000/", "registry.example/")]


@pytest.mark.parametrize("backend", ["copy", "overlay"])
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_mesos(attribute: str, backend: mesos.Backend, build: Build, tmp_path: Path) -> None:
    built = build(attribute)
    command = built.example.command
    for number, spelling in enumerate(spellings(built.example, built.tag)):
        pulled = mesos.pull(built.archive, spelling, tmp_path / f"store{number}", backend)
        with mesos.provision(pulled, tmp_path / f"root{number}") as root:
            if not built.example.port:
                check_run(built.example, command or pulled.command, pulled, root)
        shutil.rmtree(tmp_path / f"store{number}")


def check_run(example: Example, command: tuple[str, ...], pulled: mesos.Pulled, root: Path) -> None:
    """Run what the agent would run. It only notes the image's user, so nobody else than root is asked for."""
    done = subprocess.run(
        [shutil.which("chroot") or "chroot", root, *command],
        env=dict(pulled.environment),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = {"root" if text == example.user else text for text in example.says}
    assert all(text in done.stdout for text in said), done.stdout
    assert os.geteuid() == 0


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_consumer_s_needs_are_met(attribute: str, build: Build) -> None:
    """As far as the file alone can show; a classic archive has no OCI side."""
    built = build(attribute)
    verdict = verify(built.archive, consumers=ALL)
    assert verdict.problems == ()
    assert [finding.check for finding in verdict.findings] == ["oci-side"] * (built.example.layout == "classic")


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_pusher_that_knows_manifest_json(attribute: str, build: Build, registry: Registry, skopeo: Skopeo) -> None:
    built = build(attribute)
    repository = f"by-manifest/{attribute.lower()}"
    pushers.push_by_manifest(built.archive, registry.address, repository, "1")
    assert skopeo.pull(registry.address, f"{repository}:1") == pushers.archive_config(built.archive)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_pusher_that_knows_repositories(attribute: str, build: Build, registry: Registry, skopeo: Skopeo) -> None:
    """It makes a config of the chain of `<id>/json`: skopeo gets back those bytes, and they describe the same image."""
    built = build(attribute)
    repository = f"by-repositories/{attribute.lower()}"
    pushed = pushers.push_by_repositories(built.archive, registry.address, repository, "1")
    assert skopeo.pull(registry.address, f"{repository}:1") == pushed.config
    assert pushers.same_image(pushed.config, pushers.archive_config(built.archive))
