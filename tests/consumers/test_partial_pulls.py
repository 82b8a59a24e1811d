"""podman pulls an update of zstd:chunked layers in parts. Everybody else pulls the same image as plain zstd."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.image.chunked import CHECKSUM
from tests.support.consumers.base import HEAVY, Prefix, check, scratch
from tests.support.consumers.loading import KINDS
from tests.support.consumers.podman import Podman
from tests.support.consumers.registry import Registry
from tests.support.consumers.transfer import pull
from tests.support.needs import need
from tests.support.proxy import Proxy, proxy_to
from tests.support.recipes import recipe, root_layer, write_recipe
from tests.support.trees import Link, Program, make_tree

SETTINGS = """\
[storage]
driver = "overlay"
graphroot = "{root}"
runroot = "{run}"
[storage.options]
pull_options = {{enable_partial_images = "{partial}"}}
"""
"""podman 5 takes the options as texts."""

REST = {"trixie": 0.25, "forky": 0.85}
"""The most that an update may fetch: of each library one chunk in seven has changed. Debian forky's podman 5.8.6 finds
whole files only, also in layers that podman itself pushed."""

LIBRARIES = 20
OLD, NEW = "0" * 32, "1" * 32
NOISE = random.Random("noise")
DATA = [NOISE.randbytes(400_000) for _ in range(LIBRARIES)]
EQUAL = NOISE.randbytes(1_000_000)


@attrs.frozen
class Puller(Podman):
    """podman with settings in a file."""

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf")}

    def pull(self, name: str) -> None:
        self.check("pull", "--tls-verify=false", f"docker://{name}", timeout=HEAVY)

    def files(self, name: str) -> list[str]:
        """Of each file of the image kind, mode, owner, name and target; time, size and content of regular files.

        Directories and links get the time of the pull from podman, if it is partial.
        """
        top = self.check("image", "mount", name).strip()
        find = [*self.prefix, "env", "-C", top, "find", ".", "-mindepth", "1"]
        regular = check([*find, "-type", "f", "-printf", r"%y %m %U %G %s %T@ %p\n"])
        others = check([*find, "!", "-type", "f", "-printf", r"%y %m %U %G %p %l\n"])
        digests = check([*find, "-type", "f", "-exec", "sha256sum", "{}", "+"])
        return sorted(f"{regular}{others}{digests}".splitlines())


@contextmanager
def puller(prefix: Prefix, *, partial: bool) -> Iterator[Puller]:
    with scratch(prefix) as directory:
        places = {"root": directory / "root", "run": directory / "run"}
        settings = SETTINGS.format(partial=str(partial).lower(), **places)
        (directory / "storage.conf").write_text(settings)
        podman = Puller(directory, prefix)
        podman.prepare()
        yield podman


def release(directory: Path, digest: str) -> Path:
    """An image in which each store path has this digest in its name, and each library has it inside, too."""
    need("busybox", "busybox-static")
    busybox = Path("/bin/busybox").read_bytes()
    tree: dict[str, Any] = {"bin/busybox": Program(busybox), "bin/sh": Link("busybox")}
    for number, data in enumerate(DATA):
        path = f"nix/store/{digest}-lib{number}"
        tree[f"{path}/lib.so"] = data[:200_000] + f"/nix/store/{digest}-libc".encode() + data[200_000:]
        tree[f"{path}/data"] = EQUAL[number * 50_000 :][:50_000]
        tree[f"{path}/ünïcode"] = b""
    config = {"Cmd": ["/bin/sh", "-c", f"exec /bin/busybox cat /nix/store/{digest}-lib0/lib.so"]}
    names = [{"name": "app", "tag": digest[0]}]
    top = directory / digest
    return write_recipe(recipe(root_layer(make_tree(top / "tree", tree)), config=config, names=names), top)


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with proxy_to(registry.port) as running:
        yield running


@attrs.frozen
class Pushed:
    """Two releases in a registry: their names behind the proxy, and the bytes of their layers.

    `direct` is the second one without the proxy, whose answer to TLS Docker does not understand.
    """

    old: str
    new: str
    direct: str
    size: int


@pytest.fixture
def pushed(proxy: Proxy, registry: Registry, tmp_path: Path) -> Pushed:
    need("skopeo", "skopeo")
    repository = f"parts-{os.urandom(4).hex()}"
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for digest in (OLD, NEW):
        place = f"docker://{registry.address}/{repository}:{digest[0]}"
        words = ["--layer-compressor", "zstd:chunked", "--dest-tls-verify=false"]
        subprocess.run(["lamina", "push", release(tmp_path, digest), place, *words], env=env, check=True, timeout=HEAVY)
    manifest = json.loads(registry.ask("GET", f"/v2/{repository}/manifests/1")[1])
    assert all(CHECKSUM in layer["annotations"] for layer in manifest["layers"])
    size = sum(layer["size"] for layer in manifest["layers"])
    return Pushed(
        f"{proxy.address}/{repository}:0", f"{proxy.address}/{repository}:1", f"{registry.address}/{repository}:1", size
    )


def taken(proxy: Proxy) -> int:
    """Bytes that the registry has sent since the last call."""
    return sum(request.answered for request in proxy.taken())


@pytest.mark.parametrize("release", ["trixie", "forky"])
def test_podman_pulls_an_update_in_parts(
    request: pytest.FixtureRequest, release: str, proxy: Proxy, pushed: Pushed
) -> None:
    prefix: Prefix = request.getfixturevalue(release)
    with puller(prefix, partial=True) as parts, puller(prefix, partial=False) as whole:
        proxy.taken()
        parts.pull(pushed.old)
        assert taken(proxy) > 0.9 * pushed.size
        parts.pull(pushed.new)
        assert taken(proxy) < REST[release] * pushed.size
        whole.pull(pushed.old)
        proxy.taken()
        whole.pull(pushed.new)
        assert taken(proxy) > 0.9 * pushed.size
        done = parts.run(pushed.new)
        assert (done.returncode, f"{NEW}-libc" in done.stdout) == (0, True)
        for name in (pushed.old, pushed.new):
            assert parts.config_digest(name) == whole.config_digest(name)
            assert parts.files(name) == whole.files(name)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dockerd"])
def test_others_pull_plain_zstd(request: pytest.FixtureRequest, kind: str, pushed: Pushed) -> None:
    """But for Docker 20.10, which does not know zstd."""
    consumer = request.getfixturevalue(kind)
    name = pushed.direct
    pull(consumer, name)
    done = consumer.run(name, ["/bin/busybox", "ls", "/nix/store"])
    assert (done.returncode, len(done.stdout.split())) == (0, LIBRARIES)
    consumer.remove(name)
