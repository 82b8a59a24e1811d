"""The licenses of a package, as one SPDX license expression if that is possible."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lamina.report.sbom.bill import License

_ID = re.compile(r"[A-Za-z0-9.-]+\+?")
_WORDS = re.compile(r"\(|\)|[^\s()]+")
_OPERATORS = frozenset(("AND", "OR", "WITH"))
_LONGEST = 400

# fmt: off
WELL_KNOWN = frozenset((
    "0BSD", "AFL-2.1", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0", "Artistic-1.0",
    "Artistic-1.0-Perl", "Artistic-2.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSL-1.0",
    "bzip2-1.0.6", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0", "CPL-1.0",
    "curl", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "FSFAP", "FTL", "GFDL-1.2-or-later", "GFDL-1.3-only",
    "GFDL-1.3-or-later", "GPL-1.0-only", "GPL-1.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only",
    "GPL-3.0-or-later", "HPND", "ICU", "IJG", "ISC", "JSON", "LGPL-2.0-only", "LGPL-2.0-or-later", "LGPL-2.1-only",
    "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "libpng-2.0", "Libpng", "libtiff", "LPPL-1.3c",
    "MIT", "MIT-0", "MPL-1.1", "MPL-2.0", "NCSA", "OFL-1.1", "OLDAP-2.8", "OpenSSL", "PostgreSQL", "PSF-2.0",
    "Python-2.0", "Ruby", "Sleepycat", "TCL", "Unicode-DFS-2016", "Unlicense", "UPL-1.0", "Vim", "W3C", "WTFPL",
    "X11", "Zlib", "ZPL-2.1",
))
# fmt: on
"""Identifiers of the SPDX license list that distributions use often."""


def expression(licenses: Sequence[License]) -> str:
    """An SPDX expression of all licenses; empty if one has no SPDX identifier.

    A package with several licenses counts as being under all of them, because nixpkgs' lists do not say more.
    """
    ids = [item.spdx_id for item in licenses]
    if not ids or not all(ids):
        return ""
    if len(ids) == 1:
        return ids[0]
    return " AND ".join(f"({text})" if " " in text else text for text in dict.fromkeys(ids))


def listed(text: str) -> tuple[License, ...]:
    """The license in a database of packages: an expression if all its identifiers are well known, or else a name.

    Distributions write names of their own, such as `GPL2+`, which SPDX does not know.
    """
    text = " ".join(text.split())[:_LONGEST]
    if not text:
        return ()
    ids = {word.rstrip("+") for word in _WORDS.findall(text)} - _OPERATORS - {"(", ")"}
    is_known = ids <= WELL_KNOWN and is_expression(text)
    return (License(spdx_id=text) if is_known else License(name=text),)


def is_expression(text: str) -> bool:
    """Whether the text has the form of an SPDX expression: identifiers with operators between them."""
    expects_name, depth, after_with = True, 0, False
    for word in _WORDS.findall(text):
        if word == "(" and expects_name and not after_with:
            depth += 1
        elif word == ")" and not expects_name and depth:
            depth -= 1
        elif word in _OPERATORS and not expects_name:
            expects_name, after_with = True, word == "WITH"
        elif word not in _OPERATORS and expects_name and _ID.fullmatch(word):
            expects_name, after_with = False, False
        else:
            return False
    return not expects_name and not depth


def reference(name: str) -> str:
    """The identifier in an SPDX document of a license that has no SPDX identifier."""
    return "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-") or "unknown")
