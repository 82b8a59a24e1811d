"""Why a reader and ours may disagree: every disagreement that is intended, with its reason.

`docs/generated/readers.md` shows them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import attrs

Severity = Literal["differs", "we refuse", "they refuse"]
"""The worst first: both read it and see other things; they read what we refuse; we read what they refuse."""

SEVERITIES: tuple[Severity, ...] = ("differs", "we refuse", "they refuse")


@attrs.frozen
class Reason:
    """Fits a disagreement of this severity if each pattern is found: in the reader's name, and in the error.

    `change` must be found in the name of a change of the case. With `verify`, `lamina verify` must report a problem.
    """

    severity: Severity
    error: str
    why: str
    readers: str = ""
    change: str = ""
    verify: bool = False


_BUILDING = "building on it: .*"

DIFFERS = (
    Reason("differs", "", "Readers see different images in it, and `lamina verify` reports a problem", verify=True),
)

WE_REFUSE = (
    Reason(
        "we refuse",
        "a key stands twice|the key .* which some readers take for",
        "A key that occurs twice, or in another case: Go takes the last one and ignores the case, others do not",
    ),
    Reason(
        "we refuse",
        "not JSON: (Extra data|Invalid|Unexpected|Expecting|Unterminated|'utf-8')|half a surrogate",
        "A document that is no JSON: Docker reads its first value only, and Go replaces bytes that are not UTF-8",
    ),
    Reason("we refuse", "two members ", "Two members of one name: some readers take the first, some the last"),
    Reason(
        "we refuse",
        "goes down and up again|leaves the archive|is below .* which is no directory",
        "A name or a link that is absolute, or goes up: readers that unpack and readers that look names up differ",
    ),
    Reason("we refuse", "the config's bytes have the digest", "A config whose name is the digest of other bytes"),
    Reason(
        "we refuse",
        "of the unknown type|is called like one|has a size where no data can be|is sparse|sparse file",
        "A tar that readers of tar understand in different ways",
    ),
    Reason(
        "we refuse",
        _BUILDING + "(leaves the layer|names nothing|hard link to|too long for an image)",
        "A base whose layer has names that lead out or cannot exist",
    ),
    Reason(
        "we refuse",
        _BUILDING + "(no tar archive|is cut short|damaged tar header|a tar header|a tar member)",
        "A base whose layer is no tar from its beginning to its end. Skopeo does not unpack layers",
    ),
    Reason("we refuse", _BUILDING + "the history has entries", "A base with a history of more layers than it has"),
    Reason(
        "we refuse",
        _BUILDING + r"config\.(User|Volumes) has ",
        "A base with a user or a volume with which runtimes were attacked",
    ),
    Reason(
        "we refuse", r"rootfs\.type is .*; only layers", "A `rootfs.type` that the OCI specification forbids to read"
    ),
    Reason("we refuse", _BUILDING + "platform: ", "A base for a processor whose name is none"),
    Reason("we refuse", _BUILDING + r"config\.", "A base with a setting of a wrong type, which some readers refuse"),
    Reason(
        "we refuse",
        r"layers in the manifest, \d+ diff IDs|the config says diff ID|rootfs|is no (sha256 )?digest|the config is",
        "An OCI image whose layers are not those of its config: Skopeo and podman do not compare them",
        readers="skopeo|podman",
    ),
    Reason(
        "we refuse",
        r"(history|rootfs[\w.]*|config|os|architecture|variant|os\.version) is .*, not an? ",
        "A config with a field of a wrong type, which Docker refuses, and readers of OCI images do not read",
        readers="skopeo|podman|containerd",
    ),
    Reason(
        "we refuse",
        _BUILDING + "(layers in manifest.json|no member|an item of|Config is|Layers is|manifest.json)",
        "An archive with two sides of which the docker side is broken: podman reads the other",
        readers="podman",
    ),
    Reason(
        "we refuse",
        "its bytes are not those of its digest|and its descriptor says|a descriptor's size|descriptor",
        "A descriptor with another size or type than its blob's, which some readers do not look at",
    ),
    Reason("we refuse", "contains no image;", "An archive without an image: Docker and podman load nothing from it"),
    Reason("we refuse", "contains no image for linux/", "An image for another processor, unless it is asked for"),
    Reason(
        "we refuse",
        "no member |is no file|(oci-layout|the document) is missing|OCI layout of version",
        "containerd finds blobs by their digest under any name. Skopeo and podman do not read `oci-layout`",
        readers="containerd|skopeo oci|podman",
    ),
    Reason(
        "we refuse",
        "(an item of )?(RepoTags|Layers|manifest.json) is ",
        "A name or a repeated layer of a wrong type, which Docker refuses, and others do not look at",
        readers="skopeo|podman|containerd",
    ),
)

THEY_REFUSE = (
    Reason(
        "they refuse",
        "invalid tar header|unexpected EOF|executable file not found|Digest did not match",
        "Lamina decompresses lzma, too, and zstd where older readers do not. Docker runs a program for xz",
        change="in another compression",
    ),
    Reason(
        "they refuse",
        "",
        "Lamina copies a layer as bytes, and unpacks none; some contents cannot be unpacked",
        readers="docker|podman",
        change="unusual (files|headers|end) (in|of) a layer",
    ),
    Reason(
        "they refuse",
        "too many non-empty layers|History",
        "A history of more layers than the image has: it can be inspected, and is no base",
        verify=True,
    ),
    Reason(
        "they refuse",
        "cannot unmarshal|parsing time|UnmarshalJSON|invalid character|decoding|no answer|end of JSON",
        "A config with a field of a wrong type can be inspected, and `lamina verify` reports it",
        verify=True,
    ),
    Reason(
        "they refuse",
        "(LayerSources|Parent|[sS]chemaVersion).* of type |schema version",
        "A field of a wrong type that Lamina does not use",
    ),
    Reason(
        "they refuse",
        "mismatched image rootfs|neither a manifest or index|no descriptor found",
        "An image of which another entry, or a layer, has an unknown media type: `lamina verify` reports it",
        verify=True,
    ),
    Reason(
        "they refuse",
        "untarring file",
        "Skopeo and podman unpack an OCI archive, and some members cannot be unpacked",
        readers="skopeo|podman",
    ),
    Reason(
        "they refuse",
        "cannot load .* image on|unknown operating system|platform specifier|no image found|does not match",
        "An image for another operating system or processor can be inspected",
    ),
    Reason(
        "they refuse",
        "invalid reference format|invalid tag|must be lowercase|normalize image ref|invalid image reference",
        "An image with an invalid name can be read, though not by that name",
    ),
    Reason(
        "they refuse",
        "no target for symlink|failed to resolve layers|config .* not found|unrecognized image|missing index.json",
        "containerd looks members up by their exact names, and follows no hard links",
        readers="containerd",
    ),
    Reason(
        "they refuse",
        "Digest did not match|end of JSON input|Size mismatch",
        "Skopeo and podman take the size of a file from the link that leads to it, and follow no hard links",
        readers="skopeo|podman",
        change="file behind a link",
    ),
    Reason(
        "they refuse", "link .* no such file", "A hard link before the file that it leads to", change="behind a link"
    ),
    Reason(
        "they refuse",
        "invalid symlink|breakout|invalid hardlink",
        "A link that leads out of the archive, in the place of a member that Lamina does not need",
        change="link",
    ),
    Reason(
        "they refuse",
        "more than one image in oci|choose an image|filtered out",
        "Skopeo and podman take an OCI archive with one image, or ask for its name",
        readers="skopeo|podman|containerd",
    ),
)

REASONS = (*DIFFERS, *WE_REFUSE, *THEY_REFUSE)
"""The first that fits counts."""


def reason_for(
    severity: Severity, reader: str, said: str, problems: Sequence[str], kinds: frozenset[str]
) -> Reason | None:
    """The first reason that fits, if any."""
    for reason in REASONS:
        if reason.severity != severity or (reason.verify and not problems):
            continue
        changed = any(re.search(reason.change, kind) for kind in kinds)
        if changed and re.search(reason.readers, reader) and re.search(reason.error, said, re.DOTALL):
            return reason
    return None
