"""Answers of a read-only registry: the pull, listing and referrers parts of the OCI distribution spec v1.1.

A request becomes an answer here without any server: `server.py` sends the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

import attrs

from lamina.limits import RANGES
from lamina.media.registry.ranges import Part, requested_parts
from lamina.media.registry.repositories import Repository, ServedBlob, referrers_index
from lamina.oci.digest import Digest, sha256
from lamina.oci.documents import OCI_INDEX
from lamina.oci.strict_json import Json, canonical

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{32,}")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|referrers|tags)/(?P<reference>[^/]+)")
_JSON = "application/json"
_BLOB = "application/octet-stream"


class Request(NamedTuple):
    """A request: `path` with its query, as the client sends it. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class BlobPart(NamedTuple):
    """A part of a blob as a part of a body."""

    blob: ServedBlob
    part: Part


@attrs.frozen
class Answer:
    """An answer. The body is what the client gets, in order. HEAD gets the headers of GET, without the body."""

    status: int
    headers: Mapping[str, str]
    body: Sequence[bytes | BlobPart] = ()

    @property
    def size(self) -> int:
        """The value of the header `Content-Length`."""
        return sum(item.part.size if isinstance(item, BlobPart) else len(item) for item in self.body)


class _Refused(Exception):
    """The request has an error as its answer."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.answer = error_answer(status, code, message, headers)


def error_answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as the spec defines it: a status, a code of its table, and a message for people."""
    body = canonical({"errors": [{"code": code, "message": message}]})
    return Answer(status, {"Content-Type": _JSON, **(headers or {})}, (body,))


def answer(repositories: Mapping[str, Repository], request: Request) -> Answer:
    """The answer to a request."""
    try:
        path, _, query = request.path.partition("?")
        if request.method not in ("GET", "HEAD"):
            message = "this registry is read-only"
            raise _Refused(405, "UNSUPPORTED", message, {"Allow": "GET, HEAD"})
        if path in ("/v2", "/v2/"):
            return Answer(200, {"Content-Type": _JSON}, (b"{}",))
        return _in_repository(repositories, unquote(path), query, request.headers)
    except _Refused as refused:
        return refused.answer


def _in_repository(repositories: Mapping[str, Repository], path: str, query: str, headers: Mapping[str, str]) -> Answer:
    match = _PATH.fullmatch(path)
    if not match or (match["kind"] == "tags" and match["reference"] != "list"):
        raise _Refused(404, "UNSUPPORTED", "no such endpoint: /v2/NAME/ and manifests, blobs, referrers or tags/list")
    name = match["name"]
    if not _NAME.fullmatch(name) or len(name) > 255:
        raise _Refused(400, "NAME_INVALID", "the name of the repository is invalid")
    repository = repositories.get(name)
    if repository is None:
        raise _Refused(404, "NAME_UNKNOWN", f"no repository {name} here")
    parameters = _parameters(query)
    if match["kind"] == "tags":
        return _tags(name, repository, parameters)
    if match["kind"] == "referrers":
        return _referrers(repository, match["reference"], parameters)
    if match["kind"] == "manifests":
        return _manifest(repository, match["reference"], headers)
    return _blob(repository, match["reference"], headers)


def _parameters(query: str) -> dict[str, str]:
    try:
        return {key: values[-1] for key, values in parse_qs(query, max_num_fields=RANGES).items()}
    except ValueError:
        raise _Refused(400, "UNSUPPORTED", f"the query has more than {RANGES} parameters") from None


def _manifest(repository: Repository, reference: str, headers: Mapping[str, str]) -> Answer:
    if ":" in reference:
        _digest(reference)
    elif not _TAG.fullmatch(reference):
        raise _Refused(404, "MANIFEST_UNKNOWN", "neither a tag nor a digest")
    document = repository.manifest(reference)
    if document is None:
        raise _Refused(404, "MANIFEST_UNKNOWN", f"no manifest {reference} in this repository")
    if not _accepted(document.media_type, headers.get("accept")):
        message = f"the manifest is {document.media_type}, which the header Accept does not name"
        raise _Refused(404, "MANIFEST_UNKNOWN", message, {"Vary": "Accept"})
    digest = sha256(document.data)
    sent = {
        "Content-Type": document.media_type,
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Vary": "Accept",
    }
    if _is_known(digest, headers):
        return Answer(304, sent)
    return Answer(200, sent, (document.data,))


def _accepted(media_type: str, header: str | None) -> bool:
    """Whether the client accepts the type. Without the header it accepts all (RFC 9110, 12.5.1)."""
    if not header:
        return True
    for item in header.split(","):
        name, _, parameters = item.partition(";")
        refused = re.search(r"(?:^|;)\s*q=0(?:\.0*)?\s*(?:;|$)", parameters)
        if name.strip().lower() in (media_type, "application/*", "*/*") and not refused:
            return True
    return False


def _is_known(digest: str, headers: Mapping[str, str]) -> bool:
    """Whether the client already has these bytes (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in headers.get("if-none-match", "").split(",")]
    return digest in tags or tags == ["*"]


def _blob(repository: Repository, reference: str, headers: Mapping[str, str]) -> Answer:
    blob = repository.blob(_digest(reference))
    if blob is None:
        raise _Refused(404, "BLOB_UNKNOWN", f"no blob {reference} in this repository")
    sent = {
        "Content-Type": _BLOB,
        "Docker-Content-Digest": blob.digest,
        "ETag": f'"{blob.digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "max-age=31536000, immutable",
    }
    if _is_known(blob.digest, headers):
        return Answer(304, sent)
    # A part of another version than the client has would be useless to it (RFC 9110, 13.1.5).
    same = headers.get("if-range", f'"{blob.digest}"').strip() == f'"{blob.digest}"'
    parts = requested_parts(headers.get("range"), blob.size) if same else None
    if parts is None:
        return Answer(200, sent, (BlobPart(blob, Part(0, blob.size)),))
    if not parts:
        message = f"no such range: the blob has {blob.size} bytes"
        raise _Refused(416, "SIZE_INVALID", message, {"Content-Range": f"bytes */{blob.size}"})
    if len(parts) == 1:
        return Answer(206, {**sent, "Content-Range": parts[0].content_range(blob.size)}, (BlobPart(blob, parts[0]),))
    return _several_parts(blob, parts, sent)


def _several_parts(blob: ServedBlob, parts: Sequence[Part], headers: Mapping[str, str]) -> Answer:
    """A body with several parts, each with headers of its own (RFC 9110, 14.6)."""
    boundary = f"lamina-{blob.digest[-32:]}"
    body: list[bytes | BlobPart] = []
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {_BLOB}\r\nContent-Range: {part.content_range(blob.size)}\r\n\r\n"
        body += [f"{'' if not body else chr(13) + chr(10)}{head}".encode(), BlobPart(blob, part)]
    body.append(f"\r\n--{boundary}--\r\n".encode())
    return Answer(206, {**headers, "Content-Type": f"multipart/byteranges; boundary={boundary}"}, body)


def _tags(name: str, repository: Repository, parameters: Mapping[str, str]) -> Answer:
    tags = sorted(repository.tags, key=_tag_order)
    if (last := parameters.get("last")) is not None:
        tags = [tag for tag in tags if _tag_order(tag) > _tag_order(last)]
    headers = {"Content-Type": _JSON}
    if (number := parameters.get("n")) is not None:
        if not re.fullmatch(r"\d{1,9}", number):
            raise _Refused(400, "UNSUPPORTED", "n is not a number")
        shown = tags[: int(number)]
        if shown and len(shown) < len(tags):
            next_page = f"/v2/{name}/tags/list?n={number}&last={quote(shown[-1], safe='')}"
            headers["Link"] = f'<{next_page}>; rel="next"'
        tags = shown
    return Answer(200, headers, (canonical({"name": name, "tags": tags}),))


def _tag_order(tag: str) -> tuple[str, str]:
    return tag.lower(), tag


def _referrers(repository: Repository, reference: str, parameters: Mapping[str, str]) -> Answer:
    _digest(reference)
    entries: list[Json] = repository.referrers(reference)
    headers = {"Content-Type": OCI_INDEX}
    if artifact_type := parameters.get("artifactType"):
        entries = [entry for entry in entries if entry.get("artifactType") == artifact_type]
        headers["OCI-Filters-Applied"] = "artifactType"
    return Answer(200, headers, (referrers_index(entries),))


def _digest(text: str) -> Digest:
    """The text as a digest. One of another algorithm than SHA-256 is valid, and of nothing here."""
    is_valid = _SHA256.fullmatch(text) if text.startswith("sha256:") else _DIGEST.fullmatch(text)
    if not is_valid:
        raise _Refused(400, "DIGEST_INVALID", "a digest is sha256: and 64 hexadecimal digits")
    return Digest(text)
