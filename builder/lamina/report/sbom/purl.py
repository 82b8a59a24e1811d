"""Package URLs in their canonical form (package-url.github.io, ECMA-427)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote


def purl(
    kind: str, name: str, version: str = "", namespace: str = "", qualifiers: Mapping[str, str] | None = None
) -> str:
    """`pkg:deb/debian/libc6@2.36-9?arch=amd64`. Qualifiers are sorted, and empty ones left out."""
    path = "".join(f"{_quoted(part)}/" for part in namespace.split("/") if part)
    text = f"pkg:{kind}/{path}{_quoted(name)}"
    text += f"@{_quoted(version)}" if version else ""
    pairs = [f"{key}={quote(value, safe='.-_~:/')}" for key, value in sorted((qualifiers or {}).items()) if value]
    return f"{text}?{'&'.join(pairs)}" if pairs else text


def _quoted(text: str) -> str:
    return quote(text, safe=".-_~:")
