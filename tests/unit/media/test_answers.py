"""What daemons and registries answer is input: odd answers cost at most a larger transfer, or one line."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from lamina.media.clients.client import digests
from lamina.media.clients.docker import Docker
from lamina.media.clients.podman import Podman
from lamina.oci.digest import sha256
from tests.support.fixtures import Command
from tests.support.needs import need
from tests.support.recipes import recipe, store_layer
from tests.support.trees import Store

DIGEST = sha256(b"an image")
ODD_IMAGES: dict[str, str] = {
    "no JSON": "[{",
    "no list": '{"Id": "x"}',
    "no object": "[7]",
    "null": "[null]",
    "nested": "[" * 100_000,
    "two meanings": f'[{{"Id": "{DIGEST}", "Id": "x"}}]',
    "no ID": '[{"RootFS": {"Layers": []}}]',
    "an ID that is a number": '[{"Id": 7}]',
    "an ID that is a path": '[{"Id": "sha256:../../../../../../etc/passwd", "RootFS": {"Layers": []}}]',
    "layers that are a number": f'[{{"Id": "{DIGEST}", "RootFS": {{"Layers": 7}}}}]',
    "layers of numbers": f'[{{"Id": "{DIGEST}", "RootFS": {{"Layers": [7]}}}}]',
    "layers that are a path": f'[{{"Id": "{DIGEST}", "RootFS": {{"Layers": ["sha256:../../x"]}}}}]',
    "a root that is a list": f'[{{"Id": "{DIGEST}", "RootFS": [1]}}]',
    "control characters": '["\x1b]0;x\x07"]',
    "not UTF-8": "\udcff",
}
ODD_IDS = ("", "--help", "-f", "x y z", "../../etc/passwd", f"{DIGEST}/../x", "\x1b[2J", "sha256:")


def install(program: str, directory: Path, answers: dict[str, str]) -> dict[str, str]:
    """A client that answers by its first two words, and takes what it is given; the environment to run it in."""
    bin_directory = directory / "bin"
    bin_directory.mkdir(exist_ok=True)
    lines = ["#!/bin/sh", f'echo "$@" >> {directory}/asked', 'case "$1 $2" in']
    for number, (words, answer) in enumerate(answers.items()):
        (directory / f"answer{number}").write_bytes(answer.encode(errors="surrogateescape"))
        lines.append(f"'{words}') exec cat {directory}/answer{number};;")
    lines += ["'system dial-stdio') exit 1;;", "*) exec cat > /dev/null;;", "esac"]
    path = bin_directory / program
    path.write_text("\n".join(lines) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    cache = str(directory / "cache")
    return {**os.environ, "PATH": f"{bin_directory}:{os.environ['PATH']}", "XDG_CACHE_HOME": cache}


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Path:
    path = tmp_path / "image.json"
    path.write_text(json.dumps(recipe(store_layer(store.add("one", {"f": b"x"})))))
    return path


@pytest.mark.parametrize("answer", ODD_IMAGES.values(), ids=ODD_IMAGES)
@pytest.mark.parametrize("client", ["docker", "podman"])
def test_odd_images_of_a_daemon(client: str, answer: str, image: Path, tmp_path: Path, lamina: Command) -> None:
    store = '[["driver-type","io.containerd.snapshotter.v1"]]'
    answers = {"image ls": DIGEST, "image inspect": answer, "info --format": store}
    done = lamina("load", image, "--to", client, env=install(client, tmp_path, answers))
    assert done.returncode == 1, "what the daemon has afterwards is not the image"
    remedy = {"docker": Docker, "podman": Podman}[client].remedy
    expected = "accepted the archive, but the image is not there or not whole"
    assert done.stderr.decode() == f"lamina: {client}: {expected}; {remedy}\n"


@pytest.mark.parametrize("client", ["docker", "podman"])
def test_an_id_is_never_an_option_of_the_client(client: str, image: Path, tmp_path: Path, lamina: Command) -> None:
    lamina("load", image, "--to", client, env=install(client, tmp_path, {"image ls": "\n".join([*ODD_IDS, DIGEST])}))
    asked = [
        line.split()[2:] for line in (tmp_path / "asked").read_text().splitlines() if line.startswith("image insp")
    ]
    assert [DIGEST] in asked
    assert not {"--help", "-f", "x", "../../etc/passwd"} & {word for words in asked for word in words}


def test_odd_blobs_of_containerd(image: Path, tmp_path: Path, lamina: Command) -> None:
    answers = {"content ls": "\n".join(ODD_IDS), "images check": "\x1b[2J nonsense \udcff"}
    done = lamina("load", image, "--to", "containerd", env=install("ctr", tmp_path, answers))
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1) and b"\x1b" not in done.stderr


def test_an_endless_answer_ends(image: Path, tmp_path: Path, lamina: Command) -> None:
    """What is not known to be there is sent; the images' list is all that is endless here."""
    environment = install("docker", tmp_path, {})
    program = tmp_path / "bin" / "docker"
    program.write_text('#!/bin/sh\ncase "$1 $2" in "image ls") exec yes;; *) exec cat > /dev/null;; esac\n')
    done = lamina("load", image, env=environment)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1) and b"Traceback" not in done.stderr


@pytest.mark.parametrize("text", ODD_IDS)
def test_only_digests_are_read_of_an_answer(text: str) -> None:
    assert digests(f"{text}\n{DIGEST}\n{text}") == [DIGEST]


ODD_MANIFESTS = {
    **ODD_IMAGES,
    "of no known type": '{"mediaType": "text/plain"}',
    "an index of odd things": '{"manifests": [7, null]}',
    "an index of odd platforms": '{"manifests": [{"mediaType": "x", "digest": "y", "size": -1, "platform": [[]]}]}',
    "too long": " " * (5 << 20),
}


@pytest.mark.parametrize("answer", ODD_MANIFESTS.values(), ids=ODD_MANIFESTS)
def test_odd_manifests_of_a_registry(answer: str, tmp_path: Path, lamina: Command) -> None:
    environment = install("skopeo", tmp_path, {"--insecure-policy inspect": answer})
    done = lamina("prefetch", "redis:7", "--quiet", env=environment)
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (1, 1, b""), done.stderr
    assert b"\x1b" not in done.stderr


def test_a_registry_that_answers_with_another_manifest(tmp_path: Path, lamina: Command) -> None:
    environment = install("skopeo", tmp_path, {"--insecure-policy inspect": '{"config": {}}'})
    done = lamina("prefetch", f"redis@{DIGEST}", "--quiet", env=environment)
    assert done.returncode == 1 and b"the registry's manifest has the digest" in done.stderr


@pytest.mark.parametrize("words", [("prefetch", "--quiet"), ("inspect",)], ids=lambda words: words[0])
def test_skopeo_s_reason_without_its_log_format(words: tuple[str, ...], lamina: Command) -> None:
    """Nobody listens on port 1."""
    need("skopeo", "skopeo")
    address = "localhost:1/x:1" if words[0] == "prefetch" else "docker://localhost:1/x:1"
    done = lamina(*words, address)
    assert done.returncode == 1
    assert done.stderr.startswith(f"lamina: {address}: pinging container registry localhost:1: ".encode())
    assert b"connection refused; check the name" in done.stderr and b"msg=" not in done.stderr


@pytest.mark.parametrize("option", ["--final-image-tag=../../x", "--final-image-name=../x"])
def test_the_archive_is_named_after_a_valid_name(option: str, tmp_path: Path, lamina: Command) -> None:
    done = lamina("prefetch", "redis:7", option, env=install("skopeo", tmp_path, {}))
    assert done.returncode == 1 and b"lamina: the final name and tag: " in done.stderr
    assert not (tmp_path / "asked").exists(), "before the registry is asked"
