"""`lamina attach` and `lamina provenance` with a registry without the referrers API; cosign signs what is pushed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.consumers.cosign import Cosign
from tests.support.consumers.registry import Registry
from tests.support.consumers.skopeo import put_on_path
from tests.support.needs import need
from tests.support.proxy import Proxy, proxy_to
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.selection import quick
from tests.support.trees import Store

PLAIN = "--dest-tls-verify=false"
TYPE = "application/vnd.example.note+json"
INDEX = "application/vnd.oci.image.index.v1+json"
MAP = "application/vnd.lamina.digest-map.v1+json"
SIGNATURE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""cosign 3's; version 2 keeps signatures under a tag."""


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Path:
    need("skopeo", "skopeo")
    return write_recipe(recipe(store_layer(store.add("app", {"bin/app": b"#!"}))), tmp_path)


@pytest.fixture
def name(tmp_path: Path) -> str:
    return f"attach-{tmp_path.name}".replace("_", "-").strip("-").lower()


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "note.json"
    path.write_text('{"note": "hello"}')
    return path


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with proxy_to(registry.port) as running:
        yield running


@pytest.fixture(params=quick(("trixie", "forky"), "trixie"))
def newer_skopeo(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Skopeo of a newer Debian release: that of Debian 12 cannot write lists of referrers."""
    put_on_path(request.getfixturevalue(request.param), tmp_path / "bin", monkeypatch)


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["lamina", *map(str, words)], capture_output=True, text=True, timeout=120)


def printed(*words: object) -> Any:
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fetched(registry: Registry, repository: str, reference: str) -> dict[str, Any]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=30)
    accept = f"{INDEX}, application/vnd.oci.image.manifest.v1+json"
    connection.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": accept})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    parsed: dict[str, Any] = json.loads(response.read())
    connection.close()
    return parsed


@pytest.mark.usefixtures("newer_skopeo")
def test_a_document_beside_an_image(
    registry: Registry, proxy: Proxy, image: Path, name: str, document: Path, tmp_path: Path
) -> None:
    place = f"docker://{proxy.address}/{name}"
    [pushed] = printed("push", image, f"{place}:1", PLAIN)
    words = ("attach", f"{place}:1", document, "--type", TYPE, "--annotation", "by=me", PLAIN)
    first = printed(*words)
    assert (first["subject"], first["unchanged"]) == (pushed["digest"], False)

    manifest = fetched(registry, name, first["artifact"])
    assert (manifest["artifactType"], manifest["subject"]["digest"]) == (TYPE, pushed["digest"])
    [layer] = manifest["layers"]
    assert registry.ask("GET", f"/v2/{name}/blobs/{layer['digest']}")[1] == document.read_bytes()

    fallback = pushed["digest"].replace(":", "-")
    index = fetched(registry, name, fallback)
    assert index["mediaType"] == INDEX
    [map_, entry] = index["manifests"]  # the first one is the digest map, which the push put there
    assert map_["artifactType"] == MAP
    assert (entry["digest"], entry["artifactType"], entry["annotations"]) == (first["artifact"], TYPE, {"by": "me"})

    proxy.taken()
    again = printed(*words)
    assert again == {**first, "unchanged": True}
    assert not any(request.sent for request in proxy.taken())

    other = tmp_path / "other.txt"
    other.write_text("more")
    digest = pushed["digest"]
    second = printed("attach", f"{place}@{digest}", other, "--type", "text/plain", PLAIN)
    listed = [item["digest"] for item in fetched(registry, name, fallback)["manifests"]]
    assert listed == [map_["digest"], first["artifact"], second["artifact"]]
    assert [item.get("platform") for item in fetched(registry, name, fallback)["manifests"]] == [None] * 3
    assert registry.ask("HEAD", f"/v2/{name}/manifests/1")[2] == digest  # the image is as it was


@pytest.mark.usefixtures("newer_skopeo")
def test_mistakes(registry: Registry, proxy: Proxy, image: Path, name: str, document: Path) -> None:
    place = f"docker://{proxy.address}/{name}"
    printed("push", image, f"{place}:1", PLAIN)

    def refused(*words: object, status: int = 1) -> str:
        done = run("attach", *words)
        assert (done.returncode, done.stdout) == (status, "")
        assert status == 2 or done.stderr.count("\n") == 1
        return done.stderr

    assert "no such image; push it first" in refused(f"{place}:2", document, "--type", TYPE, PLAIN)
    assert "No such file" in refused(f"{place}:1", "missing.json", "--type", TYPE, PLAIN)
    assert "is not a media type" in refused(f"{place}:1", document, "--type", "sbom", PLAIN, status=2)
    assert "is no image in a registry" in refused("oci://x", document, "--type", TYPE)
    wrong = f"{place}@sha256:{'0' * 64}"
    assert "no such image" in refused(wrong, document, "--type", TYPE, PLAIN)
    printed("attach", f"{place}:1", document, "--type", TYPE, PLAIN)
    proxy.changes["GET .*/manifests/sha256-"] = lambda _: b'{"mediaType":"text/plain"}'
    assert "is no list of referrers" in refused(f"{place}:1", document, "--type", TYPE, PLAIN)
    proxy.changes["GET .*/manifests/sha256-"] = lambda _: b'{"manifests":[{"digest":"../x"}]}'
    assert "the file is damaged" in refused(f"{place}:1", document, "--type", TYPE, PLAIN)
    proxy.changes["GET .*/manifests/1$"] = lambda _: b'{"mediaType":"text/plain"}'
    assert "a manifest of type 'text/plain'; give an image" in refused(f"{place}:1", document, "--type", TYPE, PLAIN)
    proxy.faults["PUT "] = 403
    proxy.changes.clear()
    assert "skopeo login" in refused(f"{place}:1", document, "--type", "text/other", PLAIN)


def test_provenance(registry: Registry, image: Path, name: str, tmp_path: Path, store: Store) -> None:
    statement = tmp_path / "provenance.json"
    words = ("provenance", image, "--builder-id", "https://ci.example/job", "--derivation", "/nix/store/x.drv")
    assert run(*words, "-o", statement).returncode == 0
    assert run(*words).stdout == statement.read_text()
    [pushed] = printed("push", image, f"docker://{registry.address}/{name}:1", PLAIN)
    fields = json.loads(statement.read_text())
    [subject] = fields["subject"]
    assert f"sha256:{subject['digest']['sha256']}" == pushed["digest"] and subject["name"] == "docker.io/library/app"
    assert (fields["_type"], fields["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    definition = fields["predicate"]["buildDefinition"]
    assert [item["uri"] for item in definition["resolvedDependencies"]] == [f"nix:{store.path('app')}"]
    assert all(len(item["digest"]["sha256"]) == 64 for item in definition["resolvedDependencies"])
    assert definition["externalParameters"]["derivation"] == "/nix/store/x.drv"
    assert fields["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/job"
    place = f"docker://{registry.address}/{name}:1"
    attaching = ("attach", place, statement, "--type", "application/vnd.in-toto+json", PLAIN)
    refused = run(*attaching)  # with the Skopeo of Debian 12
    if refused.returncode:
        assert "cannot write lists of referrers; use 1.15 or newer" in refused.stderr
    attached = printed(*attaching, "--no-fallback-tag")
    assert fetched(registry, name, attached["artifact"])["subject"]["digest"] == pushed["digest"]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["cosign", "cosign_forky"])
def test_cosign_signs_and_verifies_what_was_pushed(
    request: pytest.FixtureRequest, kind: str, image: Path, name: str
) -> None:
    """Of version 2 and 3, with an offline key, by the digest that `lamina digest` prints."""
    cosign: Cosign = request.getfixturevalue(kind)
    digest = run("digest", image).stdout.strip()
    place = f"docker://{cosign.registry.address}/{name}:1"
    [pushed] = printed("push", image, place, PLAIN)
    assert pushed["digest"] == digest
    cosign.sign(f"{name}@{digest}")
    assert cosign.verified(f"{name}:1") == digest
    assert printed("push", image, place, PLAIN)[0]["unchanged"]


@pytest.mark.thorough
@pytest.mark.usefixtures("newer_skopeo")
@pytest.mark.parametrize("kind", ["cosign", "cosign_forky"])
def test_documents_and_signatures_are_kept_beside_each_other(
    request: pytest.FixtureRequest, kind: str, image: Path, name: str, document: Path
) -> None:
    """cosign 3 keeps signatures in the list of referrers that has Lamina's digest map and documents."""
    cosign: Cosign = request.getfixturevalue(kind)
    place = f"docker://{cosign.registry.address}/{name}:1"
    [pushed] = printed("push", image, place, PLAIN)
    digest = pushed["digest"]
    before = printed("attach", place, document, "--type", TYPE, PLAIN)
    cosign.sign(f"{name}@{digest}")
    after = printed("attach", place, document, "--type", "text/plain", PLAIN)
    index = fetched(cosign.registry, name, digest.replace(":", "-"))
    documents = [fetched(cosign.registry, name, item["digest"]) for item in index["manifests"]]
    expected = [MAP, TYPE, *([SIGNATURE] if kind == "cosign_forky" else []), "text/plain"]
    assert sorted(item["artifactType"] for item in documents) == sorted(expected)
    assert {item["subject"]["digest"] for item in documents} == {digest}
    listed = {item["digest"]: item["artifactType"] for item in index["manifests"]}
    assert (listed[before["artifact"]], listed[after["artifact"]]) == (TYPE, "text/plain")
    assert cosign.verified(f"{name}:1") == digest
    assert printed("push", image, place, PLAIN)[0]["unchanged"]
