"""`lamina serve` does what the OCI distribution spec v1.1 says of pulling, of listing tags and of referrers.

Each test names its clause. The requests go through a real server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from lamina.media.oci_content import Document
from lamina.media.registry.repositories import Repository, repositories_of
from lamina.oci.digest import Digest
from lamina.oci.documents import OCI_INDEX, OCI_MANIFEST
from tests.support.served import (
    Client,
    Served,
    bytes_of_layer,
    content_of,
    layers_of,
    served,
    top_manifest,
    with_artifacts,
)
from tests.support.trees import Store

UNKNOWN = Digest("sha256:" + "0" * 64)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served")
    content = content_of(Store(directory / "store"), directory, "r.example/team/app:1.0", "app:1.0", "app:B", "app:a")
    repositories = repositories_of([content])
    subject = top_manifest(content)[0]
    repositories["team/app"] = with_artifacts(repositories["team/app"], subject, "text/a", "text/b")
    with served(content, repositories) as running:
        yield running
    assert not running.errors


@pytest.fixture
def client(registry: Served) -> Client:
    return registry.client


@pytest.fixture
def digest(registry: Served) -> Digest:
    return top_manifest(registry.content)[0]


@pytest.fixture
def manifest(registry: Served) -> Document:
    return top_manifest(registry.content)[1]


@pytest.fixture
def layer(manifest: Document) -> Digest:
    """The layer of store paths."""
    return Digest(max(layers_of(manifest), key=lambda item: int(item["size"]))["digest"])


def error_in(body: bytes) -> str:
    """The code of an error document, which has the form of "Error Codes"."""
    [error] = json.loads(body)["errors"]
    assert set(error) <= {"code", "message", "detail"} and isinstance(error["message"], str)
    code: str = error["code"]
    return code


def test_determining_support(client: Client) -> None:
    """ "Determining Support": GET /v2/ answers 200, at this exact address."""
    for path in ("/v2/", "/v2"):
        response = client("GET", path)
        assert response.status == 200
        assert response.headers["docker-distribution-api-version"] == "registry/2.0"


def test_pulling_manifests_by_tag_and_digest(client: Client, manifest: Document, digest: Digest) -> None:
    """ "Pulling manifests": 200, the bytes, and as Content-Type the manifest's media type."""
    for reference in ("1.0", digest):
        response = client("GET", f"/v2/team/app/manifests/{reference}")
        assert (response.status, response.body) == (200, manifest.data)
        assert response.headers["content-type"] == OCI_MANIFEST
        assert response.headers["docker-content-digest"] == digest
        assert int(response.headers["content-length"]) == len(manifest.data)


@pytest.mark.parametrize("accept", [OCI_MANIFEST, "*/*", f"text/html, {OCI_MANIFEST};q=0.5", "application/*"])
def test_accepted_types(client: Client, accept: str) -> None:
    """ "Pulling manifests": the client names the types that it supports in Accept."""
    assert client("GET", "/v2/team/app/manifests/1.0", Accept=accept).status == 200


@pytest.mark.parametrize("accept", [OCI_INDEX, "text/html", f"{OCI_MANIFEST};q=0"])
def test_types_that_the_client_does_not_accept(client: Client, accept: str) -> None:
    """ "Pulling manifests": the Content-Type is one that the client supports, so other manifests are unknown to it."""
    response = client("GET", "/v2/team/app/manifests/1.0", Accept=accept)
    assert (response.status, error_in(response.body)) == (404, "MANIFEST_UNKNOWN")
    assert OCI_MANIFEST.encode() in response.body and response.headers["vary"] == "Accept"


def test_several_accept_headers(registry: Served) -> None:
    """Skopeo sends one header for each type (RFC 9110, 5.3: they are one list)."""
    import socket

    head = f"GET /v2/app/manifests/1.0 HTTP/1.1\r\nHost: x\r\nAccept: {OCI_MANIFEST}\r\nAccept: {OCI_INDEX}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", registry.client.port), 10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/team/app/manifests/2.0", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/team/app/manifests/{UNKNOWN}", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/team/app/manifests/sha256-{'0' * 64}", 404, "MANIFEST_UNKNOWN"),
        ("/v2/team/app/manifests/-", 404, "MANIFEST_UNKNOWN"),
        ("/v2/team/app/manifests/sha256:ABC", 400, "DIGEST_INVALID"),
        ("/v2/no/such/manifests/1.0", 404, "NAME_UNKNOWN"),
        ("/v2/Team/manifests/1.0", 400, "NAME_INVALID"),
        ("/v2/../../etc/manifests/1.0", 400, "NAME_INVALID"),
        ("/v2/%2e%2e/manifests/1.0", 400, "NAME_INVALID"),
        (f"/v2/{'a' * 256}/manifests/1.0", 400, "NAME_INVALID"),
        (f"/v2/team/app/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
        (f"/v2/team/app/blobs/sha512:{'0' * 128}", 404, "BLOB_UNKNOWN"),
        ("/v2/team/app/blobs/sha256:0", 400, "DIGEST_INVALID"),
        ("/v2/team/app/blobs/1.0", 400, "DIGEST_INVALID"),
        ("/v2/no/such/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/team/app/tags/other", 404, "UNSUPPORTED"),
        ("/v2/team/app/tags/list?n=x", 400, "UNSUPPORTED"),
        ("/v2/team/app/referrers/1.0", 400, "DIGEST_INVALID"),
        ("/v2/team/app", 404, "UNSUPPORTED"),
        ("/v1/_ping", 404, "UNSUPPORTED"),
        ("/", 404, "UNSUPPORTED"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_error_codes(client: Client, method: str, path: str, status: int, code: str) -> None:
    """ "Error Codes": a 4xx answer with a JSON document of codes. HEAD has the same status and no body."""
    response = client(method, path)
    assert response.status == status
    assert response.headers["content-type"] == "application/json"
    if method == "GET":
        assert error_in(response.body) == code
    else:
        assert not response.body and int(response.headers["content-length"]) > 0


def test_checking_if_content_exists(client: Client, manifest: Document, digest: Digest, layer: Digest) -> None:
    """ "Checking if content exists in the registry": HEAD answers 200, with the size in Content-Length."""
    sizes = {item["digest"]: item["size"] for item in layers_of(manifest)}
    for path, size, content in (
        ("manifests/1.0", len(manifest.data), digest),
        (f"manifests/{digest}", len(manifest.data), digest),
        (f"blobs/{layer}", sizes[layer], layer),
    ):
        response = client("HEAD", f"/v2/team/app/{path}")
        assert (response.status, response.body) == (200, b"")
        assert int(response.headers["content-length"]) == size
        assert response.headers["docker-content-digest"] == content


def test_pulling_blobs(registry: Served, layer: Digest, manifest: Document) -> None:
    """ "Pulling blobs": 200 and the bytes, of each layer and of the config."""
    config = json.loads(manifest.data)["config"]["digest"]
    for blob in (config, *(item["digest"] for item in layers_of(manifest))):
        for _ in range(2):  # the first time they are hashed, the second time the kernel sends files
            response = registry.client("GET", f"/v2/team/app/blobs/{blob}")
            assert response.status == 200
            assert f"sha256:{sha256(response.body).hexdigest()}" == blob == response.headers["docker-content-digest"]


def test_a_manifest_is_no_blob_and_a_blob_no_manifest(client: Client, digest: Digest, layer: Digest) -> None:
    """ "Pulling blobs" and "Pulling manifests": each has an endpoint of its own."""
    assert client("GET", f"/v2/team/app/blobs/{digest}").status == 404
    assert client("GET", f"/v2/team/app/manifests/{layer}").status == 404


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=1000-300000", 1000, 300000), ("bytes=257000-", 257000, None), ("bytes=-7", -7, None)],
)
def test_range_requests(registry: Served, layer: Digest, header: str, first: int, last: int | None) -> None:
    """ "Pulling blobs": a registry should support Range (RFC 9110, 14.2, 15.3.7)."""
    whole = bytes_of_layer(registry.content, layer)
    start = first if first >= 0 else len(whole) + first
    end = min(len(whole), last + 1) if last is not None else len(whole)
    response = registry.client("GET", f"/v2/team/app/blobs/{layer}", Range=header)
    assert (response.status, response.body) == (206, whole[start:end])
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    assert response.headers["docker-content-digest"] == layer
    head = registry.client("HEAD", f"/v2/team/app/blobs/{layer}", Range=header)
    assert head.headers["accept-ranges"] == "bytes"


def test_several_ranges(registry: Served, layer: Digest) -> None:
    """RFC 9110, 14.6: several ranges are parts of one body, each with its own Content-Range."""
    import email

    whole = bytes_of_layer(registry.content, layer)
    response = registry.client("GET", f"/v2/team/app/blobs/{layer}", Range="bytes=5-9, 250000-250099, -1")
    assert response.status == 206
    head = b"Content-Type: " + response.headers["content-type"].encode() + b"\n\n"
    parsed: Any = email.message_from_bytes(head + response.body)
    parts = [(part["Content-Range"], part.get_payload(decode=True)) for part in parsed.get_payload()]
    assert parts == [
        (f"bytes {start}-{end - 1}/{len(whole)}", whole[start:end])
        for start, end in ((5, 10), (250000, 250100), (len(whole) - 1, len(whole)))
    ]


def test_a_range_beyond_the_end(client: Client, layer: Digest, manifest: Document) -> None:
    """RFC 9110, 15.5.17: 416, with the size in Content-Range."""
    [size] = [item["size"] for item in layers_of(manifest) if item["digest"] == layer]
    response = client("GET", f"/v2/team/app/blobs/{layer}", Range=f"bytes={size}-")
    assert response.status == 416 and response.headers["content-range"] == f"bytes */{size}"
    error_in(response.body)


def test_what_the_client_already_has(client: Client, digest: Digest, layer: Digest) -> None:
    """RFC 9110, 13.1.2 and 13.1.5: If-None-Match, If-Range."""
    for path, tag in ((f"manifests/{digest}", digest), (f"blobs/{layer}", layer)):
        response = client("GET", f"/v2/team/app/{path}", If_None_Match=f'W/"x", "{tag}"')
        assert (response.status, response.body) == (304, b"")
        assert client("GET", f"/v2/team/app/{path}", If_None_Match='"x"').status == 200
    assert client("GET", f"/v2/team/app/blobs/{layer}", Range="bytes=0-1", If_Range=f'"{layer}"').status == 206
    assert client("GET", f"/v2/team/app/blobs/{layer}", Range="bytes=0-1", If_Range='"x"').status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written(client: Client, digest: Digest, method: str) -> None:
    """ "Content Management": a registry may refuse, with 405. Pushing is not part of this registry."""
    for path in (f"manifests/{digest}", "blobs/uploads/"):
        response = client(method, f"/v2/team/app/{path}")
        assert (response.status, error_in(response.body)) == (405, "UNSUPPORTED")
        assert response.headers["allow"] == "GET, HEAD"


def tags(client: Client, query: str = "") -> tuple[list[str], str | None]:
    response = client("GET", f"/v2/library/app/tags/list{query}")
    assert response.status == 200 and response.headers["content-type"] == "application/json"
    fields = json.loads(response.body)
    assert fields["name"] == "library/app"
    return fields["tags"], response.headers.get("link")


def test_listing_tags(client: Client) -> None:
    """ "Listing Tags": name and tags, in case-insensitive alphanumeric order."""
    assert tags(client) == (["1.0", "a", "B"], None)


def test_listing_tags_in_pages(client: Client) -> None:
    """ "Listing Tags": `n` limits the number, and Link leads to the next page as long as there is one."""
    assert tags(client, "?n=0") == ([], None)
    assert tags(client, "?n=3") == (["1.0", "a", "B"], None)
    first, link = tags(client, "?n=2")
    assert first == ["1.0", "a"] and link == '</v2/library/app/tags/list?n=2&last=a>; rel="next"'
    assert json.loads(client("GET", link.split(">")[0][1:]).body)["tags"] == ["B"]


def test_listing_tags_after_another(client: Client) -> None:
    """ "Listing Tags": `last` is the tag before the first one, whether it exists or not."""
    assert tags(client, "?last=1.0") == (["a", "B"], None)
    assert tags(client, "?last=AA") == (["B"], None)
    assert tags(client, "?last=z") == ([], None)


def test_listing_referrers(registry: Served, digest: Digest) -> None:
    """ "Listing Referrers": an index of all manifests with this subject; their types and annotations are copied."""
    response = registry.client("GET", f"/v2/team/app/referrers/{digest}")
    assert response.status == 200 and response.headers["content-type"] == OCI_INDEX
    fields = json.loads(response.body)
    assert (fields["schemaVersion"], fields["mediaType"]) == (2, OCI_INDEX)
    assert sorted(item["artifactType"] for item in fields["manifests"]) == ["text/a", "text/b"]
    for item in fields["manifests"]:
        assert item["annotations"] == {"for": item["artifactType"]}
        found = registry.client("GET", f"/v2/team/app/manifests/{item['digest']}")
        assert (found.headers["content-type"], len(found.body)) == (item["mediaType"], item["size"])
        assert json.loads(found.body)["subject"]["digest"] == digest


def test_listing_referrers_of_one_type(client: Client, digest: Digest) -> None:
    """ "Listing Referrers": a filter that was applied is named in OCI-Filters-Applied."""
    response = client("GET", f"/v2/team/app/referrers/{digest}?artifactType=text%2Fb")
    assert response.headers["oci-filters-applied"] == "artifactType"
    assert [item["artifactType"] for item in json.loads(response.body)["manifests"]] == ["text/b"]


def test_a_manifest_without_referrers(client: Client) -> None:
    """ "Listing Referrers": no referrers are an empty list, never 404."""
    response = client("GET", f"/v2/team/app/referrers/{UNKNOWN}")
    assert response.status == 200 and json.loads(response.body)["manifests"] == []
    assert "oci-filters-applied" not in response.headers


def test_referrers_tag_schema(client: Client, digest: Digest) -> None:
    """ "Referrers Tag Schema": clients that know no referrers API find the same index under a tag."""
    response = client("GET", f"/v2/team/app/manifests/{digest.replace(':', '-')}")
    assert response.status == 200 and response.headers["content-type"] == OCI_INDEX
    assert response.body == client("GET", f"/v2/team/app/referrers/{digest}").body


def test_an_artifact_without_a_type_has_that_of_its_config() -> None:
    """ "Listing Referrers": without artifactType it is the media type of the config."""
    subject = {"mediaType": OCI_MANIFEST, "digest": UNKNOWN, "size": 1}
    data = json.dumps({"config": {"mediaType": "text/c"}, "subject": subject}).encode()
    document = Document(OCI_MANIFEST, data)
    repository = Repository({}, {document.descriptor.digest: document}, {})
    [entry] = repository.referrers(UNKNOWN)
    assert entry["artifactType"] == "text/c"
