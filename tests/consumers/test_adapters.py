"""Every adapter answers to every verb as it says, on good archives and on broken ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import needs
from tests.support.builds import ROOT
from tests.support.consumers import adapters, base, compat, fixtures, leftovers
from tests.support.consumers.adapters import KINDS, RUNNERS, Consumer, ConsumerError, UnsupportedError
from tests.support.consumers.base import unique
from tests.support.consumers.docker import Docker
from tests.support.consumers.skopeo import Skopeo
from tests.support.replays import archives
from tests.support.replays.archives import Image, Member

VERSIONS: Mapping[str, Mapping[str, str]] = {
    "docker": {"12": "20.10.", "13": "26.1."},
    "podman": {"12": "4.3.", "13": "5.4."},
    "containerd": {"12": "1.6.", "13": "1.7."},
    "buildah": {"12": "1.28.", "13": "1.39."},
    "umoci": {"12": "0.4.7", "13": "0.4.7"},
    "skopeo": {"12": "1.9.", "13": "1.18."},
    "registry": {"12": "2.8.2", "13": "2.8.3"},
    "oras": {"13": "1.2."},
    "cosign": {"13": "2.5."},
    "syft": {"12": "1.18."},
    "dive": {"12": "0.13."},
}
Load = Callable[[str, Image], tuple[Consumer, list[str]]]


@pytest.fixture
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Load]:
    """Load a universal archive of an image into a consumer; its names are removed again afterwards."""
    loaded: list[tuple[Consumer, list[str]]] = []

    def into(kind: str, image: Image) -> tuple[Consumer, list[str]]:
        consumer: Consumer = request.getfixturevalue(kind)
        archive = archives.write(tmp_path / "image.tar", archives.universal(image))
        loaded.append((consumer, consumer.load(archive)))
        return loaded[-1]

    yield into
    for consumer, names in loaded:
        for name in names:
            if name in consumer.names():
                consumer.remove(name)


def fresh(*tags: str) -> Image:
    """An image of a name and a content that no other test has.

    A layer that a consumer holds from before is not read again, so nothing in it would be refused.
    """
    repository = unique("image")
    files = {"etc/greeting": "hello from an image\n", "etc/name": repository}
    return archives.image(*(f"{repository}:{tag}" for tag in tags), files=files)


def expected(kind: str, image: Image) -> list[str]:
    """How the consumer spells the image's names."""
    return [KINDS[kind].spelling(archives.normal(name)) for name in image.names]


@pytest.mark.parametrize("tags", [("1",), ("1", "2")], ids=["one tag", "two tags"])
@pytest.mark.parametrize("kind", KINDS)
def test_load_names_digest_remove(load: Load, kind: str, tags: tuple[str, ...]) -> None:
    image = fresh(*tags)
    consumer, names = load(kind, image)
    assert sorted(map(KINDS[kind].reported, names)) == sorted(expected(kind, image))
    assert set(names) <= set(consumer.names())
    assert {consumer.config_digest(name) for name in names} == {image.config_digest}
    consumer.remove(names[0])
    # A registry removes by digest: there, names of one manifest go together.
    kept = [] if KINDS[kind].family in ("registry", "cosign") else names[1:]
    assert set(names) & set(consumer.names()) == set(kept)


@pytest.mark.parametrize("layout", ["docker-save", "skopeo"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].family not in ("umoci", "oras")])
def test_other_layouts(request: pytest.FixtureRequest, tmp_path: Path, kind: str, layout: str) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    assert "docker-archive" in consumer.layouts
    image = fresh("1")
    [name] = consumer.load(archives.write(tmp_path / "image.tar", archives.LAYOUTS[layout](image)))
    assert consumer.config_digest(name) == image.config_digest
    consumer.remove(name)


@pytest.mark.parametrize("kind", RUNNERS)
def test_run(load: Load, kind: str) -> None:
    consumer, [name] = load(kind, fresh("1"))
    done = consumer.run(name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello from an image\n", "")
    # Status, environment, directory and the missing network all come from the image and the adapter.
    script = 'echo "$COLOUR $PWD $(ls /sys/class/net)"; echo trouble >&2; exit 3'
    done = consumer.run(name, ["sh", "-c", script])
    assert (done.returncode, done.stdout, done.stderr) == (3, "blue /tmp lo\n", "trouble\n")


@pytest.mark.parametrize("kind", RUNNERS)
def test_words_follow_the_entrypoint(load: Load, kind: str) -> None:
    config = {"Entrypoint": ["sh", "-c", 'echo "words: $*"', "entry"], "Cmd": ["cmd"], "Env": ["PATH=/bin"]}
    consumer, [name] = load(kind, archives.image(f"{unique('image')}:1", config=config))
    assert consumer.run(name).stdout == "words: cmd\n"
    assert consumer.run(name, ["a", "b c"]).stdout == "words: a b c\n"


@pytest.mark.parametrize("kind", RUNNERS)
def test_run_that_does_not_end(load: Load, kind: str) -> None:
    consumer, [name] = load(kind, fresh("1"))
    word = f"{int.from_bytes(os.urandom(4), 'big') + 10**6}"
    with pytest.raises(ConsumerError, match="no end after 2 s"):
        consumer.run(name, ["sleep", word], timeout=2)
    assert f"sleep {word}" not in processes()


def processes() -> str:
    return base.check(["ps", "-eo", "args"])


@pytest.mark.parametrize("kind", RUNNERS)
def test_serve(load: Load, kind: str) -> None:
    port = base.free_port()
    consumer, [name] = load(kind, archives.web_image(f"{unique('web')}:1", port))
    with consumer.serve(name, port):
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=10).read() == b"served\n"
        with pytest.raises(ConsumerError, match="already taken"), consumer.serve(name, port):
            pass
    assert not base.answers(port)


@pytest.mark.parametrize("kind", RUNNERS)
def test_serve_of_what_is_no_service(load: Load, kind: str) -> None:
    consumer, [name] = load(kind, fresh("1"))
    with pytest.raises(ConsumerError, match="ended by itself"), consumer.serve(name, base.free_port()):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_consumer_cannot(load: Load, kind: str, tmp_path: Path) -> None:
    consumer, [name] = load(kind, fresh("1"))
    assert KINDS[kind].runs != ("run" in consumer.cannot)
    assert bool(consumer.saves) != ("save" in consumer.cannot)
    attempts: dict[base.Verb, Callable[[], object]] = {
        "run": lambda: consumer.run(name),
        "serve": lambda: consumer.serve(name, 1),
        "save": lambda: consumer.save(name, tmp_path / "saved.tar", "oci-archive"),
    }
    for verb in consumer.cannot:
        with pytest.raises(UnsupportedError, match="only"):
            attempts[verb]()


def numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".") if number]


@pytest.mark.parametrize("kind", KINDS)
def test_version(request: pytest.FixtureRequest, kind: str) -> None:
    """A kind of Debian 13 that ran the machine's own program would be found out here."""
    consumer: Consumer = request.getfixturevalue(kind)
    version, debian = consumer.version(), KINDS[kind].debian
    if debian == "forky":
        listed = compat.versions_in(compat.TABLE.read_text()).get(kind)
        if version != listed:
            warnings.warn(f"{KINDS[kind].title} of forky is {version}; compatibility.md has {listed}", stacklevel=1)
        assert numbers(version) >= numbers(VERSIONS[KINDS[kind].family]["13"])
    else:
        assert version.startswith(VERSIONS[KINDS[kind].family][debian])


@pytest.mark.parametrize("kind", KINDS)
def test_corrupt_layer_is_refused(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    image = fresh("1")
    layer = archives.file_layer({"etc/greeting": "other\n"})
    broken = archives.replaced(archives.universal(image), f"blobs/sha256/{image.diff_ids[1]}", layer)
    archive = archives.write(tmp_path / "image.tar", broken)
    if KINDS[kind].family == "umoci":
        # It takes a layout as it is, and looks at blobs when it unpacks them.
        [name] = consumer.load(archive)
        with pytest.raises(ConsumerError):
            consumer.run(name)
        consumer.remove(name)
        return
    if KINDS[kind].family in ("syft", "dive") or kind == "registry_crane_forky":
        # They compare no digests, so this is all that they can be held to.
        for name in consumer.load(archive):
            consumer.remove(name)
        return
    with pytest.raises(ConsumerError):
        consumer.load(archive)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_archive_is_refused(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    before = consumer.names()
    with pytest.raises(ConsumerError):
        consumer.load(archives.write(tmp_path / "image.tar", [Member("file", b"")]))
    assert consumer.names() == before


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_name_is_an_error(request: pytest.FixtureRequest, kind: str) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    with pytest.raises(ConsumerError):
        consumer.config_digest("absent.example/absent:1")


def test_image_without_a_name(tmp_path: Path, dockerd: Docker, skopeo: Skopeo) -> None:
    """Docker and skopeo report its id."""
    image = archives.image()
    archive = archives.write(tmp_path / "image.tar", archives.universal(image))
    for consumer in (dockerd, skopeo):
        assert consumer.load(archive) == [image.config_digest]
        consumer.remove(image.config_digest)


def test_skopeo_compares_both_layouts(tmp_path: Path, skopeo: Skopeo) -> None:
    """An archive whose two descriptions disagree is worse than one that has only one of them."""
    image, other = fresh("1"), fresh("1")
    extra = archives.Image(image.layers, {**image.config, "Env": ["OTHER=1"]}, other.names)
    names = {member.name for member in archives.universal(image)}
    members = [member for member in archives.universal(extra) if member.name not in names]
    mixed = archives.universal(image) + members
    index = next(member for member in archives.universal(extra) if member.name == "index.json")
    assert index.data is not None
    archive = archives.write(tmp_path / "image.tar", archives.replaced(mixed, "index.json", index.data))
    with pytest.raises(ConsumerError, match="is not the docker-archive's"):
        skopeo.load(archive)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].family in ("docker", "podman", "containerd")])
def test_nothing_is_left(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    prefix_of: fixtures.Prefixes,
) -> None:
    """Even of a service that nobody stopped before the consumer ended."""
    monkeypatch.setattr(type(request.getfixturevalue(kind)), "destroy", lambda consumer, container: None)
    port = base.free_port()
    archive = archives.write(tmp_path / "image.tar", archives.universal(archives.web_image("left:1", port)))
    prefix = prefix_of(kind)
    with base.scratch(prefix) as directory:
        with KINDS[kind].start(directory, prefix) as consumer:
            [name] = consumer.load(archive)
            with consumer.serve(name, port):
                pass
            assert base.answers(port)
        assert leftovers.processes(directory) or leftovers.mounts(directory, prefix)
    assert not base.answers(port)
    assert not directory.exists()
    assert str(directory) not in processes()
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].debian == "12"])
def test_programs_take_a_prefix(tmp_path: Path, kind: str, prefix_of: fixtures.Prefixes) -> None:
    """`env` stands for whatever leads into another root."""
    prefix_of(kind)
    image = fresh("1")
    archive = archives.write(tmp_path / "image.tar", archives.universal(image))
    marker = "LAMINA_PREFIX=1"
    with adapters.opened(kind, ("env", marker)) as consumer:
        [name] = consumer.load(archive)
        assert consumer.config_digest(name) == image.config_digest
        if "run" not in consumer.cannot:
            assert consumer.run(name).stdout == "hello from an image\n"


def test_daemon_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(ConsumerError, match=r"ended by itself\nno such luck"),
        base.daemon(["sh", "-c", "echo no such luck; exit 1"], tmp_path, lambda: False),
    ):
        pass


START_AND_DIE = """
import os
from pathlib import Path
from tests.support.consumers import base
with base.daemon(["sleep", "1000"], Path("{directory}"), lambda: True):
    print(base.check(["pgrep", "--parent", str(os.getpid())]), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_daemon_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    program = START_AND_DIE.format(directory=tmp_path)
    died = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr
    base.wait_for(lambda: not Path(f"/proc/{int(died.stdout)}").exists(), "end of the daemon", 10)


@pytest.mark.parametrize(("ci", "outcome"), [("false", pytest.skip), ("true", pytest.fail)])
def test_absent_program(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: Any) -> None:
    monkeypatch.setenv("CI", ci)
    needs.need("sh", "dash")
    # Both are caught, or the wrong one of them would skip this test instead of failing it.
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception)) as raised:
        needs.need("no-such-program", "some-package")
    assert raised.type is outcome.Exception
    assert "apt-get install --no-install-recommends some-package" in str(raised.value)
