"""Images that real clients pull from `lamina serve`, and an index that Skopeo pushes whole."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.consumers.base import HEAVY, Consumer, Prefix, check
from tests.support.consumers.loading import KINDS
from tests.support.consumers.registry import Registry
from tests.support.consumers.transfer import pull
from tests.support.needs import need
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.served import Client
from tests.support.trees import Program, Store


@contextmanager
def served(*words: object) -> Iterator[str]:
    """The address of `lamina serve`."""
    command = ["lamina", "serve", *map(str, words), "--listen", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Path:
    path = store.add("app", {"bin/app": b"#!" * 200_000, "share/text": b"hello"})
    return write_recipe(recipe(store_layer(path), names=[{"name": "served", "tag": "1"}]), tmp_path)


def config_of(image: Path) -> str:
    """The digest of the config: the image's ID."""
    printed = json.loads(check(["lamina", "digest", image, "--json"]))
    digest: str = printed["config"]["digest"]
    return digest


@pytest.mark.parametrize("compressor", ["none", "zstd"])
def test_skopeo_pulls(image: Path, tmp_path: Path, compressor: str) -> None:
    """It compares the digest of every layer."""
    need("skopeo", "skopeo")
    with served(image, "--layer-compressor", compressor) as address:
        source = f"docker://{address}/served:1"
        check(["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", source, f"dir:{tmp_path}/copy"])
    assert (tmp_path / "copy" / config_of(image).removeprefix("sha256:")).exists()


def test_manifests_of_compressed_layers_need_no_layer(
    store: Store, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their digests are remembered from the first start on: here the files are gone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answers = []
    for _ in range(2):
        with served(image, "--layer-compressor", "zstd") as address:
            ask = Client(int(address.rpartition(":")[2]))
            manifest = ask("GET", "/v2/library/served/manifests/1").body
            sizes = []
            for layer in json.loads(manifest)["layers"]:
                head = ask("HEAD", f"/v2/library/served/blobs/{layer['digest']}")
                sizes += [layer["size"], int(head.headers["content-length"])]
        answers.append((manifest, sizes))
        shutil.rmtree(store.path("app"), ignore_errors=True)
    assert answers[0] == answers[1]
    assert answers[0][1][0] == answers[0][1][1]


@pytest.mark.thorough
@pytest.mark.parametrize("compressor", ["gz", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_daemons_pull(request: pytest.FixtureRequest, image: Path, kind: str, compressor: str) -> None:
    daemon: Consumer = request.getfixturevalue(kind)
    with served(image, "--layer-compressor", compressor) as address:
        name = f"{address}/library/served:1"
        pull(daemon, name)
    assert daemon.config_digest(name) == config_of(image)
    daemon.remove(name)


@pytest.mark.thorough
@pytest.mark.parametrize("compressor", ["gz", "zstd"])
def test_crane_and_oras_pull(image: Path, tmp_path: Path, forky: Prefix, compressor: str) -> None:
    """crane also compares all digests. What they write has the digest that `lamina digest` prints."""
    options = ("--layer-compressor", compressor)
    with served(image, *options) as address:
        name = f"{address}/library/served:1"
        check([*forky, "crane", "validate", "--insecure", "--remote", name])
        check([*forky, "crane", "pull", "--insecure", "--format", "oci", name, tmp_path / "crane"])
        check([*forky, "oras", "copy", "--from-plain-http", name, "--to-oci-layout", f"{tmp_path}/oras:1"])
    expected = check(["lamina", "digest", image, *options])
    for layout in ("crane", "oras"):
        check(["lamina", "verify", tmp_path / layout])
        assert check(["lamina", "digest", tmp_path / layout]) == expected


@pytest.fixture
def index(store: Store, tmp_path: Path) -> Path:
    """An index whose images say for which processor they are, this machine's last."""
    need("busybox", "busybox-static")
    program = store.add("busybox", {"busybox": Program(Path("/bin/busybox").read_bytes())})
    recipes = []
    for architecture in ("arm64", "s390x", "amd64"):
        (tmp_path / architecture).mkdir()
        config = {"Cmd": [f"{program}/busybox", "echo", architecture]}
        fields = recipe(store_layer(program), config=config, architecture=architecture)
        recipes.append(write_recipe(fields, tmp_path / architecture))
    check(["lamina", "index", *recipes, "-o", tmp_path / "index", "-t", "chosen:1", "--format", "oci-layout"])
    return tmp_path / "index"


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_daemons_pull_the_image_for_their_machine(request: pytest.FixtureRequest, index: Path, kind: str) -> None:
    daemon: Consumer = request.getfixturevalue(kind)
    with served(index) as address:
        name = f"{address}/library/chosen:1"
        pull(daemon, name)
    assert daemon.run(name).stdout == "amd64\n"
    daemon.remove(name)


def test_an_index_is_pushed_whole(registry: Registry, store: Store, tmp_path: Path) -> None:
    """Each platform's manifest and layers are in the registry afterwards, and nothing changes the second time."""
    need("skopeo", "skopeo")
    recipes = []
    for architecture in ("amd64", "arm64"):
        (tmp_path / architecture).mkdir()
        fields = recipe(store_layer(store.add(f"app-{architecture}", {"f": architecture.encode()})))
        recipes.append(write_recipe({**fields, "architecture": architecture}, tmp_path / architecture))
    check(["lamina", "index", *recipes, "-o", tmp_path / "index", "-t", "app:1", "--format", "oci-layout"])
    repository = f"index-{tmp_path.name}".replace("_", "-").lower()
    place = f"docker://{registry.address}/{repository}:1"
    words: list[str | Path] = ["lamina", "push", tmp_path / "index", place, "--dest-tls-verify=false", "--json"]
    [first], [again] = [json.loads(check(words, timeout=HEAVY)) for _ in range(2)]
    assert again["unchanged"] and first["digest"] == again["digest"]
    raw = check(["skopeo", "inspect", "--raw", "--tls-verify=false", place])
    assert f"sha256:{sha256(raw.encode()).hexdigest()}" == first["digest"]
    listed: list[dict[str, Any]] = json.loads(raw)["manifests"]
    assert [item["platform"]["architecture"] for item in listed] == ["amd64", "arm64"]
    for item in listed:
        manifest = json.loads(registry.ask("GET", f"/v2/{repository}/manifests/{item['digest']}")[1])
        for blob in (manifest["config"], *manifest["layers"]):
            assert registry.ask("HEAD", f"/v2/{repository}/blobs/{blob['digest']}")[0] == 200
