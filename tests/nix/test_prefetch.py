"""`lamina prefetch` asks a real registry; what it prints goes into pullImage as it is."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.media.prefetch import Request, nix_text
from lamina.oci.digest import sha256
from tests.support.builds import COMMAND, expression, nix_build
from tests.support.consumers.registry import Registry

INDEX = "application/vnd.oci.image.index.v1+json"
DIGEST = "sha256:" + "0" * 64


def lamina(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, **environment}
    return subprocess.run([COMMAND, *words], env=surroundings, capture_output=True, text=True, timeout=120, check=False)


def push(registry: Registry, directory: Path, tag: str, architecture: str) -> str:
    """An image with nothing in it but where it runs; the digest of its manifest."""
    recipe = {
        "version": 1,
        "names": [{"name": "prefetched", "tag": tag}],
        "architecture": architecture,
        "created": "1970-01-01T00:00:01Z",
        "config": {"Labels": {"on": architecture}},
        "layers": [],
    }
    (directory / f"{tag}.json").write_text(json.dumps(recipe))
    assert lamina("build", directory / f"{tag}.json", "-o", directory / f"{tag}.tar").returncode == 0
    registry.load(directory / f"{tag}.tar")
    return registry.ask("HEAD", f"/v2/library/prefetched/manifests/{tag}")[2]


@pytest.fixture(scope="module")
def digests(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two images, and an index of both called `multi`."""
    directory = tmp_path_factory.mktemp("prefetch")
    found = {architecture: push(registry, directory, architecture, architecture) for architecture in ("amd64", "s390x")}
    manifests = []
    for architecture, digest in found.items():
        _, body, _ = registry.ask("GET", f"/v2/library/prefetched/manifests/{digest}")
        platform = {"os": "linux", "architecture": architecture}
        kind = json.loads(body)["mediaType"]
        manifests.append({"mediaType": kind, "digest": digest, "size": len(body), "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
    with closing(http.client.HTTPConnection("127.0.0.1", registry.port, timeout=60)) as connection:
        connection.request("PUT", "/v2/library/prefetched/manifests/multi", index, {"Content-Type": INDEX})
        assert connection.getresponse().status == http.client.CREATED
    return {**found, "index": sha256(index)}


def name(registry: Registry) -> str:
    return f"{registry.address}/library/prefetched"


def prefetched(*words: str | Path) -> dict[str, Any]:
    done = lamina("prefetch", "--no-tls-verify", "--json", "--quiet", *words)
    assert (done.returncode, done.stderr) == (0, "")
    arguments: dict[str, Any] = json.loads(done.stdout)
    return arguments


def labels(arguments: str) -> Any:
    archive = nix_build(*expression(f"lamina.pullImage ({arguments})"))
    [image] = json.loads(lamina("inspect", "--json", archive).stdout)
    return image["config"]["config"]["Labels"]


@pytest.mark.parametrize("architecture", ["amd64", "s390x"])
def test_the_digest_is_that_of_the_platform(architecture: str, registry: Registry, digests: dict[str, str]) -> None:
    """An index has another one, with which pullImage would get another image on another machine."""
    for words in ([f"{name(registry)}:multi"], [f"{name(registry)}@{digests['index']}"], [name(registry), "multi"]):
        assert prefetched(*words, "--arch", architecture)["imageDigest"] == digests[architecture]


def test_what_it_prints_is_what_pull_image_takes(registry: Registry, digests: dict[str, str]) -> None:
    done = lamina("prefetch", "--no-tls-verify", f"{name(registry)}:multi", "--arch", "s390x")
    assert done.returncode == 0, done.stderr
    # Under another name it is not what prefetch put into the store, so Nix fetches it, and compares the hash.
    assert labels(f'{done.stdout} // {{ name = "fetched-anew"; }}') == {"on": "s390x"}


def test_nix_need_not_fetch_it_again(registry: Registry, digests: dict[str, str]) -> None:
    arguments = prefetched(f"{name(registry)}:amd64", "--final-image-name", "other/name", "--final-image-tag", "t")
    assert (arguments["finalImageName"], arguments["finalImageTag"]) == ("other/name", "t")
    fields = " ".join(f"{key} = {json.dumps(value)};" for key, value in arguments.items())
    assert labels(f'{{ {fields} }} // {{ imageName = "registry.invalid/x"; }}') == {"on": "amd64"}


def test_what_it_does_is_told_on_the_way(registry: Registry, digests: dict[str, str]) -> None:
    done = lamina(
        *("prefetch", "--no-tls-verify", "--image-name", name(registry)),
        *("--image-tag", "multi", "--arch", "amd64"),
    )
    lines = dict(line.removeprefix("-> ").split(": ", 1) for line in done.stderr.splitlines())
    assert lines["ImageDigest"] == digests["amd64"] and lines["FinalImageTag"] == "multi"
    assert lines["ImagePath"].startswith("/nix/store/") and Path(lines["ImagePath"]).is_file()
    assert f'hash = "{lines["ImageHash"]}";' in done.stdout


def test_the_architecture_is_this_machines(registry: Registry, digests: dict[str, str]) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the index has no image for this machine")
    assert prefetched(f"{name(registry)}:multi")["imageDigest"] == digests["amd64"]


def test_no_image_for_the_platform(registry: Registry, digests: dict[str, str]) -> None:
    done = lamina("prefetch", "--no-tls-verify", f"{name(registry)}:multi", "--arch", "riscv64", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("contains no image for linux/riscv64; it contains: linux/amd64, linux/s390x\n")


def test_no_such_image(registry: Registry) -> None:
    done = lamina("prefetch", "--no-tls-verify", f"{name(registry)}:nowhere", "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith(f"lamina: {name(registry)}:nowhere: ") and "manifest unknown" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_skopeo(tmp_path: Path) -> None:
    done = lamina("prefetch", "redis", PATH=str(tmp_path))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "lamina: skopeo: no such program; install it, or: nix shell nixpkgs#skopeo",
    )


def test_no_name() -> None:
    done = lamina("prefetch")
    assert (done.returncode, done.stderr) == (2, "lamina: prefetch: no image; give NAME, NAME:TAG or NAME@DIGEST\n")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["redis"], Request("redis")),
        (["redis:7"], Request("redis", "7")),
        (["localhost:5000/a/b"], Request("localhost:5000/a/b")),
        (["localhost:5000/a/b:7", None], Request("localhost:5000/a/b", "7")),
        ([f"redis@{DIGEST}"], Request("redis", "latest", DIGEST)),
        ([f"redis:7@{DIGEST}"], Request("redis", "7", DIGEST)),
        (["redis", "7", DIGEST], Request("redis", "7", DIGEST)),
    ],
)
def test_names(words: list[str], wanted: Request) -> None:
    assert Request.parse(*words) == wanted


@pytest.mark.parametrize("text", ["not a name", "redis@sha256:0", "redis:", "redis@md5:00", "redis:" + "x" * 200])
def test_no_names(text: str) -> None:
    with pytest.raises(BadInput):
        Request.parse(text)


def test_no_text_ends_a_string_of_nix() -> None:
    assert nix_text({"a": 'x"${y}\\', "b": False}) == '{\n  a = "x\\"\\${y}\\\\";\n  b = false;\n}'
