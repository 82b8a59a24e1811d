"""`lamina serve` answers every request, however odd, by a status of the distribution specification."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from lamina.limits import RANGES
from lamina.media.oci_content import Document
from lamina.media.registry.answers import Request, answer
from lamina.media.registry.repositories import Repository
from lamina.oci.documents import OCI_MANIFEST

MANIFEST = Document(OCI_MANIFEST, b'{"schemaVersion": 2}')
DIGEST = MANIFEST.descriptor.digest
REPOSITORIES = {"team/app": Repository({"1": DIGEST}, {DIGEST: MANIFEST}, {})}
STATUSES = {200, 206, 304, 400, 404, 405, 416}

texts = st.text(max_size=8)
words = st.one_of(
    st.sampled_from(["v2", "team", "app", "manifests", "blobs", "tags", "list", "referrers", "1", DIGEST, "..", ""]),
    texts,
    st.binary(max_size=4).map(lambda data: "".join(f"%{byte:02x}" for byte in data)),
)
paths = st.lists(words, max_size=8).map(lambda parts: "/" + "/".join(parts))
parameters = st.tuples(st.sampled_from(["n", "last", "artifactType"]), texts).map("=".join)
queries = st.one_of(texts, parameters)
ranges = st.text("0123456789-, ", max_size=9).map("bytes={}".format)
names = st.sampled_from(["accept", "range", "if-range", "if-none-match"])
headers = st.dictionaries(names, st.one_of(texts, ranges), max_size=3)


@given(st.sampled_from(["GET", "HEAD", "PUT", "X"]), paths, queries, headers)
@example("GET", "/v2/team/app/tags/list", "&".join(["n=1"] * (RANGES + 1)), {})
@example("GET", "/v2/team/app/tags/list", "n=٣", {})
@example("GET", f"/v2/team/app/blobs/{DIGEST}", "", {"range": "bytes=0-٣"})
def test_every_request_has_an_answer(method: str, path: str, query: str, headers: dict[str, str]) -> None:
    answered = answer(REPOSITORIES, Request(method, f"{path}?{query}", headers))
    assert answered.status in STATUSES
    assert answered.size >= 0


def test_too_many_parameters_are_bad_usage_of_the_registry() -> None:
    path = "/v2/team/app/tags/list?" + "&".join(["n=1"] * (RANGES + 1))
    answered = answer(REPOSITORIES, Request("GET", path, {}))
    assert answered.status == 400
    assert b"more than 64 parameters" in b"".join(item for item in answered.body if isinstance(item, bytes))
