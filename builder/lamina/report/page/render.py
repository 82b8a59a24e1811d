"""The page: one HTML file with its style, its script and its data. Nothing in it comes from the network."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from lamina.oci.strict_json import Json

_HERE = Path(__file__).parent
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that could end the element with the data, or confuse an old reader of it."""


def page(data: Json) -> str:
    """The HTML. Text of the image is in the data alone, where no character can become markup."""
    style, script = (_HERE.joinpath(name).read_text() for name in ("page.css", "page.js"))
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"POLICY": policy, "STYLE": style, "SCRIPT": script, "DATA": text}
    pieces = _HERE.joinpath("page.html").read_text().split("@@")
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
