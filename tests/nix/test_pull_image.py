"""pullImage in the sandbox, out of a real registry on the loopback: open, and behind a password."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builds import expression, nix, nix_build
from tests.support.built_examples import nix_set, push_base
from tests.support.consumers.base import answers, check, daemon, free_port, scratch
from tests.support.consumers.registry import CONFIG, Registry
from tests.support.consumers.skopeo import Skopeo

USER, PASSWORD = "alice", "wonderland"


def test_bytes_are_those_that_skopeo_writes(pulled: str, skopeo: Skopeo) -> None:
    """The hash of a fixed-output derivation says so; the base is new in each run, so Nix did fetch it."""
    base = nix_build(*expression(f"lamina.pullImage {pulled}"))
    assert skopeo.listed(base)


def test_wrong_hash(pulled: str) -> None:
    nothing = f"sha256-{base64.b64encode(bytes(32)).decode()}"
    done = nix("nix-build", "--no-out-link", *expression(f'lamina.pullImage ({pulled} // {{ hash = "{nothing}"; }})'))
    assert done.returncode != 0
    assert "hash mismatch" in done.stderr


@pytest.fixture
def private_registry(registry: Registry) -> Iterator[Registry]:
    """A second registry that wants a password."""
    with scratch() as directory:
        port = free_port()
        users = subprocess.run(
            ["htpasswd", "-Bbn", USER, PASSWORD], capture_output=True, text=True, check=True, timeout=60
        )
        (directory / "users").write_text(users.stdout)
        configuration = directory / "registry.yml"
        locked = f"auth: {{htpasswd: {{realm: tests, path: {directory}/users}}}}\n"
        configuration.write_text(CONFIG.format(directory=directory, port=port) + locked)
        with daemon(["docker-registry", "serve", configuration], directory, lambda: answers(port)):
            yield Registry(port, Skopeo(directory))


def test_private_registry(registry: Registry, private_registry: Registry, tmp_path: Path) -> None:
    """The credentials stay outside of the store: a sandbox path shows them to this build."""
    base = push_base(registry, tmp_path)
    source = f"docker://{base['imageName']}@{base['imageDigest']}"
    target = f"docker://{private_registry.address}/base:1"
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    credentials = tmp_path / "auth.json"
    credentials.write_text(json.dumps({"auths": {private_registry.address: {"auth": secret}}}))
    copy = ["skopeo", "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false"]
    check([*copy, "--dest-tls-verify=false", "--dest-authfile", credentials, source, target])
    wanted = {
        "imageName": f"{private_registry.address}/base",
        "imageDigest": base["imageDigest"],
        "hash": base["hash"],
        "finalImageName": base["imageName"],
    }
    refused = nix("nix-build", "--no-out-link", *expression(f"lamina.pullImage {nix_set(wanted)}"))
    assert "authentication required" in refused.stderr
    shown = ("--option", "extra-sandbox-paths", str(tmp_path))
    nix_build(*shown, *expression(f"lamina.pullImage {nix_set({**wanted, 'authFile': str(credentials)})}"))
