"""Fixtures that the tests of examples share: a registry with a base in it, and the examples, built."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.builds import COMMAND, ROOT, nix, nix_build, nix_builds
from tests.support.consumers.base import check
from tests.support.consumers.registry import Registry
from tests.support.examples import BY_ATTRIBUTE, Example
from tests.support.once import Once


@frozen
class Built:
    """An example's archive, and the tag that it has."""

    example: Example
    archive: Path
    tag: str

    @property
    def qualified(self) -> str:
        return f"{self.example.name}:{self.tag}"

    @property
    def familiar(self) -> str:
        return f"{self.example.familiar}:{self.tag}"


def push_base(registry: Registry, directory: Path) -> dict[str, str]:
    """Put a base that nobody has seen before into the registry; returns what pullImage needs to get it.

    It is new in every run, so that Nix has to fetch it. The hash is that of the archive that Skopeo itself writes.
    """
    busybox = {"path": str(nix_build("-A", "pkgs.busybox")), "narHash": "", "narSize": 0}
    recipe = {
        "version": 1,
        "names": [{"name": "base", "tag": "1"}],
        "architecture": "amd64",
        "created": "1970-01-01T00:00:01Z",
        "config": {"Env": ["PATH=/bin"], "Labels": {"run": uuid.uuid4().hex}},
        "layers": [{"kind": "root", "trees": [busybox]}],
    }
    (directory / "base.json").write_text(json.dumps(recipe))
    archive = directory / "base.tar"
    subprocess.run([COMMAND, "build", directory / "base.json", "-o", archive], check=True, timeout=60)
    registry.load(archive)
    name = f"{registry.address}/library/base"
    digest = registry.ask("HEAD", "/v2/library/base/manifests/1")[2]
    pulled = directory / "pulled.tar"
    source = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{name}@{digest}"]
    check([*source, f"docker-archive:{pulled}:{name}:latest"])
    sri = base64.b64encode(hashlib.sha256(pulled.read_bytes()).digest()).decode()
    return {"imageName": name, "imageDigest": digest, "hash": f"sha256-{sri}"}


def nix_set(attributes: dict[str, str]) -> str:
    """An attribute set as `--arg` takes it, with `tlsVerify` off: the registry on the loopback has no TLS."""
    fields = " ".join(f"{key} = {json.dumps(value)};" for key, value in attributes.items())
    return f"{{ tlsVerify = false; {fields} }}"


@pytest.fixture(scope="session")
def pulled(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The argument `pulled` for default.nix."""
    return nix_set(push_base(registry, tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="session")
def build(request: pytest.FixtureRequest, once: Once) -> Callable[[str], Built]:
    """An example, built once in the test run, with all others."""

    def build_all() -> dict[str, list[str]]:
        pulled: str = request.getfixturevalue("pulled")
        attributes = [word for attribute in BY_ATTRIBUTE for word in ("-A", f"examples.{attribute}")]
        paths = nix_builds(*attributes, "--arg", "pulled", pulled)
        return {
            attribute: [str(path), example.tag or image_tag(attribute)]
            for (attribute, example), path in zip(BY_ATTRIBUTE.items(), paths, strict=True)
        }

    def built(attribute: str) -> Built:
        archive, tag = once("examples", build_all)[attribute]
        return Built(BY_ATTRIBUTE[attribute], Path(archive), tag)

    return built


def image_tag(attribute: str) -> str:
    done = nix("nix-instantiate", "--eval", "--json", ROOT, "-A", f"examples.{attribute}.imageTag")
    tag: str = json.loads(done.stdout)
    return tag
