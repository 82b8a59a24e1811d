"""JSON: written the same way each time, and refused where readers of the same bytes could differ."""

from __future__ import annotations

import json
import re

import pytest

from lamina.errors import BadInput
from lamina.limits import JSON_BYTES
from lamina.oci.digest import sha256
from lamina.oci.documents import OCI_CONFIG, OCI_LAYER, Descriptor, oci_index, oci_manifest
from lamina.oci.strict_json import canonical, parse_json
from lamina.oci.timestamps import any_time, check_timestamp, seconds

A = sha256(b"a")


def test_equal_values_have_equal_bytes() -> None:
    assert canonical({"b": [1, None, True], "a": "grüße <&>"}) == '{"a":"grüße <&>","b":[1,null,true]}'.encode()
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null, "\\u00e4\\ud83d\\ude00"]}', "[]", "null", '"ä"'])
def test_json_is_read(text: str) -> None:
    assert parse_json(text.encode(), "it") == json.loads(text)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{} {}", "Extra data"),
        (b'{"a":1,"a":2}', "a key occurs twice"),
        (b'[{"x":{"a":1,"a":1}}]', "a key occurs twice"),
        (b"NaN", "NaN is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"[1e999]", "1e999 is no JSON number"),
        (b"[-1e999]", "-1e999 is no JSON number"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\uDC00": 1}', "surrogates not allowed"),
        (b'"\xff"', "invalid start byte"),
        (b'"a\nb"', "Invalid control character"),
        (b"1" * 5000, "digit"),
    ],
)
def test_json_that_readers_could_differ_on_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=f"it: not JSON: .*{why}.*; the file is damaged"):
        parse_json(data, "it")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [101, 500, 900, 990, 100_000])
def test_json_nested_too_deeply_is_refused(opening: bytes, depth: int) -> None:
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(BadInput, match="it: JSON nested too deeply; the file is damaged or hostile"):
        parse_json(opening * depth + b"1" + closing * depth, "it")


def test_json_nested_as_deeply_as_is_read_can_be_written_again() -> None:
    data = b"[" * 100 + b"]" * 100
    assert canonical(parse_json(data, "it")) == data


def test_json_larger_than_any_image_has_is_refused() -> None:
    with pytest.raises(BadInput, match=f"it: JSON of more than {JSON_BYTES} bytes"):
        parse_json(b" " * (JSON_BYTES + 1), "it")


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01T00:00:01Z",
        "2026-11-23T17:05:09.123456789Z",
        "2024-02-29T23:59:59+05:30",
        "2020-01-01T00:00:00-11:00",
    ],
)
def test_times_that_every_reader_takes(text: str) -> None:
    assert check_timestamp(text, "created", "it") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1970-01-01",
        "1970-01-01 00:00:01Z",
        "1970-01-01T00:00:01",
        "1970-01-01T00:00Z",
        "1970-01-01t00:00:01Z",
        "1970-01-01T00:00:01z",
        "1970-13-01T00:00:01Z",
        "2023-02-29T00:00:01Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:01+25:00",
        "1970-01-01T00:00:01.Z",
        "1970-01-01T00:00:01Z\n",
        "\uff11\uff19\uff17\uff10-01-01T00:00:01Z",
    ],
)
def test_times_that_go_s_readers_refuse(text: str) -> None:
    with pytest.raises(BadInput, match="not an RFC 3339 time; write it like 1970-01-01T00:00:01Z"):
        check_timestamp(text, "created", "it")


def test_a_descriptor_reads_back() -> None:
    for descriptor in (
        Descriptor(OCI_LAYER, A, 5),
        Descriptor(OCI_LAYER, A, 0, {"a": "b"}, {"os": "linux", "architecture": "arm64"}),
    ):
        assert Descriptor.from_json(descriptor.to_json(), "it") == descriptor


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mediaType": None}, "a descriptor's mediaType is missing"),
        ({"mediaType": "../x"}, "a descriptor's mediaType is '../x'"),
        ({"digest": "sha256:x"}, "'sha256:x' is no sha256 or sha512 digest"),
        ({"size": -1}, "a descriptor's size is -1"),
        ({"size": 1.5}, "a descriptor's size is 1.5, not a whole number"),
        ({"size": True}, "a descriptor's size is True, not a whole number"),
        ({"annotations": None, "platform": None}, None),
        ({"annotations": []}, "a descriptor's annotations is [], not an object"),
        ({"annotations": {"a": 1}}, "the annotation 'a' is 1, not a string"),
        ({"platform": []}, "platform is [], not an object"),
        ({"annotations": [1]}, "a descriptor's annotations is [1], not an object"),
        ({"platform": "linux"}, "platform is 'linux', not an object"),
        ({"platform": {"os": 7}}, "platform.os is 7, not a string"),
        ({"platform": {"os.version": []}}, "platform.os.version is [], not a string"),
    ],
)
def test_a_descriptor_of_other_types_is_refused(changes: dict[str, object], why: str | None) -> None:
    value = Descriptor(OCI_LAYER, A, 5).to_json() | changes
    if why is None:  # null and missing are one thing to Go's readers
        assert Descriptor.from_json(value, "it").annotations == {}
        return
    with pytest.raises(BadInput, match=re.escape(why)):
        Descriptor.from_json(value, "it")


def test_manifest_and_index_byte_by_byte() -> None:
    config, layer = Descriptor(OCI_CONFIG, A, 1), Descriptor(OCI_LAYER, A, 2)
    line = f'"digest":"{A}","mediaType":"application/vnd.oci.image'
    assert oci_manifest(config, [layer]).decode() == (
        '{"config":{' + line + '.config.v1+json","size":1},"layers":[{' + line + '.layer.v1.tar","size":2}],'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )
    assert oci_index([layer]).decode() == (
        '{"manifests":[{' + line + '.layer.v1.tar","size":2}],'
        '"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}'
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z"),
        ("2001-02-03T04:05:06.7+01:00", "2001-02-03T04:05:06.7+01:00"),
        ("20010203", "2001-02-03T00:00:00Z"),
        ("2001-02-03", "2001-02-03T00:00:00Z"),
        ("2001-02-03T04:05:06", "2001-02-03T04:05:06Z"),
        ("20010203T040506+0100", "2001-02-03T03:05:06Z"),
        ("@981173106", "2001-02-03T04:05:06Z"),
        ("0900-01-01", "0900-01-01T00:00:00Z"),
    ],
)
def test_times_in_other_forms(given: str, expected: str) -> None:
    assert any_time(given, "created", "x") == expected


HOUR_24 = ["1970-01-01T24:00", "19700101T24", "1970-01-01 24:00:00Z", "1970-W01-4T24:00", "1970W01T2400"]
"""Accepted from Python 3.14 on, as the next day."""


@pytest.mark.parametrize(
    "text", ["", "@", "yesterday", "@999999999999999", "@1e3", "0001-01-01T00:00:00.5+23:00:01", *HOUR_24]
)
def test_no_times(text: str) -> None:
    with pytest.raises(BadInput, match="not an RFC 3339 time"):
        any_time(text, "created", "x")


def test_no_time_before_1970_has_a_tar() -> None:
    assert seconds("1970-01-01T01:00:00+01:00", "mtime", "x") == 0
    with pytest.raises(BadInput, match="mtime is 1969-12-31; a tar header holds no time before 1970"):
        seconds("1969-12-31", "mtime", "x")
