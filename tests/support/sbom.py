"""Judges of bills of materials: the official schemas and validators, as libraries ship them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.needs import need_module

if TYPE_CHECKING:
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL


@functools.cache
def _validator(version: str) -> JsonStrictValidator:
    need_module("cyclonedx")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator({"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}[version])


def checked_cyclonedx(data: bytes) -> dict[str, Any]:
    """The document, after its schema accepted it."""
    document: dict[str, Any] = json.loads(data)
    error = _validator(document["specVersion"]).validate_str(data.decode())
    assert error is None, error
    return document


def checked_spdx(data: bytes) -> dict[str, Any]:
    """The document, after SPDX' own library read and accepted it."""
    need_module("spdx_tools")
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document: dict[str, Any] = json.loads(data)
    parsed = JsonLikeDictParser().parse(json.loads(data))  # type: ignore[no-untyped-call]
    problems = validate_full_spdx_document(parsed)
    assert [problem.validation_message for problem in problems] == []
    return document


def checked(data: bytes) -> dict[str, Any]:
    return checked_spdx(data) if b'"spdxVersion"' in data else checked_cyclonedx(data)


def parsed_purl(text: str) -> PackageURL:
    """The package URL, as its specification's own library reads it."""
    need_module("packageurl")
    from packageurl import PackageURL

    return PackageURL.from_string(text)


def spdx_schema() -> Path:
    """The schema of CycloneDX that lists SPDX' licenses."""
    need_module("cyclonedx")
    import cyclonedx.schema

    return Path(cyclonedx.schema.__file__).parent / "_res/spdx.SNAPSHOT.schema.json"


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in component.get("properties", [])}


def write_json(value: object, path: Path) -> Path:
    path.write_text(json.dumps(value))
    return path
