"""`lamina push` into a real registry, which a proxy counts and disturbs."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.image.digest_map import DigestMap
from lamina.media.registry.shared_map import MapUpload, read_maps
from lamina.media.registry.skopeo import Access
from lamina.oci.digest import Digest
from lamina.oci.documents import OCI_MANIFEST, Descriptor
from lamina.oci.reference import parse_reference
from tests.support.builds import nix_build
from tests.support.consumers.base import HEAVY, Consumer, answers, check, daemon, free_port
from tests.support.consumers.loading import KINDS
from tests.support.consumers.podman import Podman
from tests.support.consumers.registry import CONFIG, Registry
from tests.support.consumers.skopeo import put_on_path
from tests.support.consumers.transfer import pull
from tests.support.needs import need
from tests.support.once import Once
from tests.support.proxy import Limit, Proxy, proxy_to
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.selection import quick, thorough
from tests.support.served import certificate
from tests.support.trees import Store

LARGE = 300_000
PLAIN = "--dest-tls-verify=false"


@attrs.frozen
class Pusher:
    """Pushes images of three layers, of which tests change one."""

    directory: Path
    store: Store
    address: str
    repository: str
    size: int = LARGE
    cache: str = "cache"

    def image(self, *contents: str, tag: str = "1") -> Path:
        """An image with a layer for each content."""
        paths = [self.store.path(f"part-{text}") for text in contents]
        for text, path in zip(contents, paths, strict=True):
            if not path.exists():
                self.store.add(f"part-{text}", {"data": random.Random(text).randbytes(self.size)})
        described = [
            {
                **store_layer(str(path)),
                "paths": [{"path": str(path), "narHash": f"sha256:{text:0>52}", "narSize": self.size}],
            }
            for text, path in zip(contents, paths, strict=True)
        ]
        target = self.directory / "-".join(contents)
        target.mkdir(exist_ok=True)
        return write_recipe(recipe(*described, names=[{"name": "app", "tag": tag}]), target)

    def name(self, tag: str = "1") -> str:
        return f"docker://{self.address}/{self.repository}:{tag}"

    def push(self, *words: object) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "XDG_CACHE_HOME": str(self.directory / self.cache)}
        return subprocess.run(
            ["lamina", "push", *map(str, words)], env=env, capture_output=True, text=True, timeout=120
        )

    def pushed(self, *words: object) -> list[dict[str, Any]]:
        done = self.push(*words, PLAIN, "--json")
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(done.stdout)
        return results

    def refusal(self, *words: object) -> str:
        """The only line of an error."""
        done = self.push(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        return done.stderr


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with proxy_to(registry.port) as running:
        yield running


@pytest.fixture(params=quick(("12", "trixie", "forky"), "12"))
def pusher(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> Pusher:
    """With the Skopeo of this Debian release."""
    if request.param == "12":
        need("skopeo", "skopeo")
    else:
        put_on_path(request.getfixturevalue(request.param), tmp_path / "bin", monkeypatch)
    name = tmp_path.name.replace("_", "-").strip("-").lower()
    return Pusher(tmp_path, store, proxy.address, f"push-{name}")


def manifest(registry: Registry, repository: str, tag: str = "1") -> tuple[str, dict[str, Any]]:
    _, body, digest = registry.ask("GET", f"/v2/{repository}/manifests/{tag}")
    assert f"sha256:{sha256(body).hexdigest()}" == digest
    return digest, json.loads(body)


def digest_before(pusher: Pusher, image: Path, *words: str) -> str:
    done = subprocess.run(["lamina", "digest", image, *words], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_what_is_new_is_sent_and_nothing_else(registry: Registry, proxy: Proxy, pusher: Pusher) -> None:
    image = pusher.image("a", "b", "c")
    before = digest_before(pusher, image)
    assert before == digest_before(pusher, image, "--format", "oci-archive")
    [first] = pusher.pushed(image, pusher.name())
    digest, stored = manifest(registry, pusher.repository)
    assert first["digest"] == digest == before and not first["unchanged"] and first["held"] == 0
    assert first["uploaded"] == sum(layer["size"] for layer in stored["layers"])

    proxy.taken()
    [again] = pusher.pushed(image, pusher.name())
    assert again["unchanged"] and again["uploaded"] == 0
    requests = proxy.taken()
    assert len(requests) <= 3 and not any(request.sent for request in requests)

    [dry] = pusher.pushed(pusher.image("a", "b", "d"), pusher.name(), "--dry-run")
    assert not any(request.sent for request in proxy.taken())
    [changed] = pusher.pushed(pusher.image("a", "b", "d"), pusher.name())
    assert (changed["read"], dry["read"] > LARGE) == (0, True)  # the dry run has read the layer
    assert {**changed, "read": 0} == {**dry, "read": 0}
    digest, stored = manifest(registry, pusher.repository)
    new = stored["layers"][2]
    assert (changed["uploaded"], changed["digest"]) == (new["size"], digest)
    sent = sum(request.sent for request in proxy.taken())
    assert new["size"] < sent < new["size"] + 10_000  # the layer, a config and a manifest


def test_what_another_machine_found_out_is_not_read_again(
    registry: Registry, proxy: Proxy, pusher: Pusher, tmp_path: Path
) -> None:
    """With an empty cache. The files of unchanged layers are gone, so that nobody can read them."""
    pusher = attrs.evolve(pusher, size=4 << 20)
    zstd = ("--layer-compressor", "zstd")
    images = [pusher.image(*"abc"), pusher.image(*"abd")]
    [first] = pusher.pushed(images[0], pusher.name(), *zstd)
    for text in "abc":
        shutil.rmtree(pusher.store.path(f"part-{text}"))
    other = attrs.evolve(pusher, cache="empty")
    proxy.taken()
    [again] = other.pushed(images[0], pusher.name(), *zstd)
    assert again == {**first, "unchanged": True, "uploaded": 0, "held": first["uploaded"], "read": 0}
    requests = proxy.taken()
    assert not any(request.sent for request in requests) and len(requests) <= 6

    proxy.taken()
    [changed] = other.pushed(images[1], pusher.name(), *zstd)
    digest, stored = manifest(registry, pusher.repository)
    assert (changed["digest"], changed["uploaded"]) == (digest, stored["layers"][2]["size"])
    assert pusher.size < changed["read"] < pusher.size + 20_000  # the tar of one layer
    assert len([request for request in proxy.taken() if request.sent > LARGE]) == 1
    # The only digests that this machine remembers are those of the layer that it read.
    assert len(list((tmp_path / "empty").rglob("layers/*/*"))) == 1

    error = other.refusal(images[1], pusher.name(), *zstd, PLAIN, "--no-digest-map")
    assert str(pusher.store.path("part-a")) in error


def test_the_map_is_listed_as_a_referrer(registry: Registry, pusher: Pusher) -> None:
    image = pusher.image("a")
    [first] = pusher.pushed(image, pusher.name())
    [entry] = referrers(registry, pusher.repository, first["digest"])
    [again] = attrs.evolve(pusher, cache="empty").pushed(image, pusher.name("2"))
    assert (again["digest"], again["unchanged"]) == (first["digest"], False)
    assert referrers(registry, pusher.repository, first["digest"]) == [entry]
    document = json.loads(registry.ask("GET", f"/v2/{pusher.repository}/manifests/{entry['digest']}")[1])
    assert document["artifactType"] == "application/vnd.lamina.digest-map.v1+json"
    assert document["subject"]["digest"] == first["digest"]

    other = attrs.evolve(pusher, repository=f"{pusher.repository}-none")
    [without] = other.pushed(image, other.name(), "--no-digest-map")
    assert referrers(registry, other.repository, without["digest"]) == []


def referrers(registry: Registry, repository: str, digest: str) -> list[dict[str, Any]]:
    """The list under the fallback tag."""
    index = "application/vnd.oci.image.index.v1+json"
    path = f"/v2/{repository}/manifests/{digest.replace(':', '-')}"
    with closing(http.client.HTTPConnection("127.0.0.1", registry.port, timeout=60)) as connection:
        connection.request("GET", path, headers={"Accept": index})
        listed: list[dict[str, Any]] = json.loads(connection.getresponse().read()).get("manifests", [])
    return listed


def plant(registry: Registry, repository: str, subject: str, **lies: Any) -> None:
    """Replace the digest map beside a manifest by one that says something else about every layer."""
    name, access = parse_reference(f"{registry.address}/{repository}:1", "a test"), Access(tls_verify=False)
    found = read_maps(name, [Digest(subject)], access, lambda error: pytest.fail(str(error)))
    assert found
    wrong = DigestMap({pair: attrs.evolve(claim, **lies) for pair, claim in found.claims.items()})
    size = len(registry.ask("GET", f"/v2/{repository}/manifests/{subject}")[1])
    upload = MapUpload(name, Descriptor(OCI_MANIFEST, Digest(subject), size), wrong, access)
    upload.publish(upload.send())


@pytest.mark.parametrize(
    "lies",
    [
        {"digest": Digest("sha256:" + "0" * 64)},
        pytest.param({"diff_id": Digest("sha256:" + "0" * 64)}, marks=thorough),
        pytest.param({"stored_size": 1}, marks=thorough),
    ],
)
def test_a_map_that_lies(registry: Registry, pusher: Pusher, lies: dict[str, Any]) -> None:
    """It is noticed when the layer is read, because the registry does not have it. Nothing changes in the registry."""
    pusher = attrs.evolve(pusher, size=9 << 20)
    zstd = ("--layer-compressor", "zstd")
    [name] = lies
    image = pusher.image(f"lie-{name.replace('_', '-')}")
    [pushed] = pusher.pushed(image, pusher.name(), *zstd)
    _, stored = manifest(registry, pusher.repository)
    plant(registry, pusher.repository, pushed["digest"], **lies)
    for layer in stored["layers"]:
        registry.ask("DELETE", f"/v2/{pusher.repository}/blobs/{layer['digest']}")
    other = attrs.evolve(pusher, cache="empty")
    error = other.refusal(image, pusher.name(), *zstd, PLAIN)
    assert "the digest map in the registry has the digest" in error and "(--no-digest-map)" in error
    assert manifest(registry, pusher.repository) == (pushed["digest"], stored)
    [again] = other.pushed(image, pusher.name("2"), *zstd, "--no-digest-map")
    assert (again["digest"], again["uploaded"]) == (pushed["digest"], stored["layers"][0]["size"])


@pytest.mark.parametrize(
    "document",
    [
        b'{"version": 1, "layers": [{"key": "x"}]}',
        *(pytest.param(data, marks=thorough) for data in (b"", b"[]", b'{"version": 2}', b"\xff")),
    ],
)
def test_a_damaged_map_is_not_used(registry: Registry, pusher: Pusher, document: bytes) -> None:
    """One line says so, and the layers are read."""
    pusher = attrs.evolve(pusher, size=9 << 20)
    image = pusher.image("damaged")
    [pushed] = pusher.pushed(image, pusher.name(), "--layer-compressor", "zstd")

    @attrs.frozen
    class Damaged(DigestMap):
        def document(self) -> bytes:
            return document

    subject = Descriptor(OCI_MANIFEST, pushed["digest"], 1)
    name = parse_reference(f"{registry.address}/{pusher.repository}:1", "a test")
    upload = MapUpload(name, subject, Damaged(), Access(tls_verify=False))
    upload.publish(upload.send())
    other = attrs.evolve(pusher, cache="empty")
    done = other.push(image, pusher.name(), "--layer-compressor", "zstd", PLAIN)
    assert done.returncode == 0 and "is already there" in done.stdout
    assert re.fullmatch("lamina: .*: the digest map is not used: .*\n", done.stderr)


def test_several_tags_and_a_sibling(registry: Registry, proxy: Proxy, pusher: Pusher) -> None:
    results = pusher.pushed(pusher.image("a", "b"), pusher.name(), pusher.name("2"))
    assert [result["uploaded"] > 0 for result in results] == [True, False]
    assert manifest(registry, pusher.repository)[0] == manifest(registry, pusher.repository, "2")[0]
    proxy.taken()
    sibling = attrs.evolve(pusher, repository=f"{pusher.repository}-sibling")
    sibling.pushed(sibling.image("a", "c"), sibling.name())
    large = [request.sent for request in proxy.taken() if request.sent > LARGE]
    assert len(large) == 1  # the layer that both have is mounted, which Skopeo remembers of the first push
    assert (
        manifest(registry, sibling.repository)[1]["layers"][0] == manifest(registry, pusher.repository)[1]["layers"][0]
    )


@pytest.mark.parametrize("compressor", ["gz", "zstd", "zstd:chunked", "none"])
def test_what_was_pushed_can_be_pulled(registry: Registry, pusher: Pusher, tmp_path: Path, compressor: str) -> None:
    image = pusher.image("a", "b")
    [result] = pusher.pushed(image, pusher.name(), "--layer-compressor", compressor)
    assert result["digest"] == digest_before(pusher, image, "--layer-compressor", compressor)
    digest, stored = manifest(registry, pusher.repository)
    source = f"docker://{pusher.address}/{pusher.repository}@{digest}"
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", source, f"dir:{tmp_path}/got"]
    subprocess.run(words, check=True, timeout=60)
    for layer in (stored["config"], *stored["layers"]):
        data = (tmp_path / "got" / layer["digest"].removeprefix("sha256:")).read_bytes()
        assert f"sha256:{sha256(data).hexdigest()}" == layer["digest"]


@pytest.mark.parametrize("kind", quick(KINDS, "dockerd"))
def test_daemons_pull_and_run_what_was_pushed(
    request: pytest.FixtureRequest, registry: Registry, kind: str, hello: Path
) -> None:
    """By the digest that `lamina digest` printed before. containerd cannot run a name with a digest alone."""
    need("skopeo", "skopeo")
    consumer: Consumer = request.getfixturevalue(kind)
    digest = check(["lamina", "digest", hello]).strip()
    place = f"{registry.address}/pulled-by-{kind.replace('_', '-')}"
    check(["lamina", "push", hello, f"docker://{place}:1", PLAIN, "--no-digest-map"], timeout=HEAVY)
    name = f"{place}:1" if isinstance(consumer, Podman) else f"{place}@{digest}"
    pull(consumer, name)
    assert registry.ask("HEAD", f"/v2/{place.partition('/')[2]}/manifests/1")[2] == digest
    assert "Hello, world!" in consumer.run(name).stdout


@pytest.fixture(scope="session")
def hello(once: Once) -> Path:
    """A recipe whose layers are compressed with gzip, which every generation reads."""
    return Path(once("pushed-hello", lambda: str(nix_build("-A", "examples.hello.recipe"))))


def test_a_dry_run_counts_mounts_apart(registry: Registry, proxy: Proxy, pusher: Pusher) -> None:
    """What one repository has, or gets, is mounted in the next one, and the push then sends no more."""
    first, second = pusher, attrs.evolve(pusher, repository=f"{pusher.repository}-second")
    pusher.pushed(pusher.image("mount-a", "mount-b"), first.name())
    image = pusher.image("mount-a", "mount-c")
    names = (first.name(), second.name(), second.name("2"))
    one, two, three = pusher.pushed(image, *names, "--dry-run")
    small, large = one["held"], one["uploaded"]
    assert min(small, large) > LARGE and one["mounted"] == 0
    assert (two["uploaded"], two["held"], two["mounted"]) == (0, small + large, small + large)
    assert (three["uploaded"], three["held"], three["mounted"]) == (0, small + large, 0)
    proxy.taken()
    done = pusher.pushed(image, *names)
    assert [result["uploaded"] for result in done] == [large, 0, 0]
    assert len([request for request in proxy.taken() if request.sent > LARGE]) == 1


TLS = """\
http:
  addr: "127.0.0.1:{port}"
  tls: {{certificate: {cert}, key: {key}}}
auth: {{htpasswd: {{realm: test, path: {passwords}}}}}
"""


def test_tls_and_a_password(tmp_path: Path, store: Store) -> None:
    need("docker-registry", "docker-registry")
    need("htpasswd", "apache2-utils")
    cert, key = certificate(tmp_path)
    port, passwords = free_port(), tmp_path / "passwords"
    subprocess.run(["htpasswd", "-cbB", str(passwords), "me", "secret"], check=True, capture_output=True)
    plain = CONFIG.format(directory=tmp_path, port=port).rpartition("http:")[0]
    (tmp_path / "tls.yml").write_text(plain + TLS.format(port=port, cert=cert, key=key, passwords=passwords))
    authorities, auth = tmp_path / "authorities", tmp_path / "auth.json"
    authorities.mkdir()
    shutil.copy(cert, authorities / "ca.crt")
    entry = {"auth": base64.b64encode(b"me:secret").decode()}
    auth.write_text(json.dumps({"auths": {f"127.0.0.1:{port}": entry}}))
    with daemon(["docker-registry", "serve", tmp_path / "tls.yml"], tmp_path, lambda: answers(port)):
        pusher = Pusher(tmp_path, store, f"127.0.0.1:{port}", "app")
        image = pusher.image("a")
        assert "give the certificate of its authority" in pusher.refusal(image, pusher.name())
        assert "skopeo login" in pusher.refusal(image, pusher.name(), PLAIN, "--authfile", tmp_path / "none.json")
        words = (image, pusher.name(), "--dest-cert-dir", authorities, "--authfile", auth, "--json")
        for is_unchanged in (False, True):
            done = pusher.push(*words)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)[0]["unchanged"] is is_unchanged


@pytest.mark.parametrize(
    ("pattern", "status", "remedy"),
    [
        ("GET /v2/$", 500, "the registry has a fault"),
        ("POST ", 401, "skopeo login"),
        ("PUT .*/manifests/", 500, ""),
        *(
            pytest.param(*fault, marks=thorough)
            for fault in (
                ("POST ", 403, "skopeo login"),
                ("POST ", 404, ""),
                ("PUT .*/manifests/", 403, "skopeo login"),
                ("GET .*/manifests/", 503, "the registry has a fault"),
            )
        ),
    ],
)
def test_registries_that_refuse(
    registry: Registry, proxy: Proxy, pusher: Pusher, pattern: str, status: int, remedy: str
) -> None:
    """One line, and nothing under the name."""
    proxy.faults[pattern] = status
    assert remedy in pusher.refusal(pusher.image("a"), pusher.name(), PLAIN)
    assert registry.answer("GET", f"/v2/{pusher.repository}/manifests/1")[0] == 404


LIMITED = ["GET .*/manifests/", *(pytest.param(text, marks=thorough) for text in ("POST ", "PUT "))]


@pytest.mark.parametrize("pattern", LIMITED)
def test_too_many_requests_for_a_moment(registry: Registry, proxy: Proxy, pusher: Pusher, pattern: str) -> None:
    """Skopeo waits as long as Retry-After says, and sends the request again; two requests may wait side by side."""
    proxy.limits[pattern] = Limit(times=2, after="2")
    started = time.monotonic()
    [result] = pusher.pushed(pusher.image("a"), pusher.name())
    assert time.monotonic() - started >= 2
    assert sum(request.status == 429 for request in proxy.taken()) == 2
    assert manifest(registry, pusher.repository)[0] == result["digest"]


@pytest.mark.parametrize("pattern", LIMITED)
def test_too_many_requests_for_good(registry: Registry, proxy: Proxy, pusher: Pusher, pattern: str) -> None:
    """Skopeo tries it a few times. Then one line says what to do, and nothing is under the name."""
    proxy.limits[pattern] = Limit(times=1000, after="0")
    assert "wait, and push again" in pusher.refusal(pusher.image("a"), pusher.name(), PLAIN)
    assert 0 < sum(request.status == 429 for request in proxy.taken()) < 50
    assert registry.answer("GET", f"/v2/{pusher.repository}/manifests/1")[0] == 404


def test_a_registry_that_may_not_be_read_but_written(registry: Registry, proxy: Proxy, pusher: Pusher) -> None:
    """Some answer 403 for what does not exist yet: the push goes on."""
    proxy.faults["GET .*/manifests/"] = 403
    error = pusher.refusal(pusher.image("a"), pusher.name(), PLAIN)
    assert "the registry has nothing under this name" in error
    assert registry.answer("GET", f"/v2/{pusher.repository}/manifests/1")[0] == 200


def test_a_registry_that_lies_about_a_manifest(registry: Registry, proxy: Proxy, pusher: Pusher) -> None:
    pusher.pushed(pusher.image("a"), pusher.name())
    proxy.changes["GET .*/manifests/"] = lambda data: data.replace(b"schemaVersion", b"schemaversion")
    error = pusher.refusal(pusher.image("b"), pusher.name(), PLAIN)
    assert "under this name after the push of" in error
    proxy.changes.clear()
    assert pusher.pushed(pusher.image("b"), pusher.name())[0]["unchanged"]


@pytest.mark.parametrize(
    "document", [b"[]", *(pytest.param(data, marks=thorough) for data in (b"{}", b"\xff", b"{" * 1000))]
)
def test_whatever_is_there_is_replaced(proxy: Proxy, pusher: Pusher, document: bytes) -> None:
    """What the registry says before is used for nothing but to find out that nothing is to be done."""
    proxy.changes["GET .*/manifests/1$"] = lambda _: document
    done = pusher.push(pusher.image("a"), pusher.name(), PLAIN, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "") and "would upload at most" in done.stdout


def test_there_is_no_registry(pusher: Pusher) -> None:
    error = pusher.refusal(pusher.image("a"), f"docker://127.0.0.1:{free_port()}/app:1", PLAIN)
    assert "connection refused; check the name of the registry and the network" in error


@pytest.mark.parametrize(
    "name", ["docker://h/a@sha256:" + "0" * 64, "oci:/tmp/x", "docker://h.example/A B:1", "docker://"]
)
def test_what_is_no_destination(pusher: Pusher, name: str) -> None:
    pusher.refusal(pusher.image("a"), name)


def test_a_store_path_that_is_missing(registry: Registry, pusher: Pusher) -> None:
    """The digests are remembered, so that only Skopeo's request notices it: the error names the path."""
    image = pusher.image("a")
    pusher.pushed(image, pusher.name())
    shutil.rmtree(pusher.store.path("part-a"))
    other = attrs.evolve(pusher, repository=f"{pusher.repository}-other", address=registry.address)
    error = other.refusal(image, f"docker://localhost:{registry.port}/{other.repository}:1", PLAIN)
    assert str(pusher.store.path("part-a")) in error
    assert registry.answer("GET", f"/v2/{other.repository}/manifests/1")[0] == 404


def test_the_same_name_twice(pusher: Pusher) -> None:
    done = pusher.push(pusher.image("a"), pusher.name(), pusher.name())
    assert done.returncode == 2 and "the same name twice" in done.stderr
