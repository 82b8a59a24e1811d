"""Why a reader and ours may disagree: every disagreement that is intended, with its reason.

`docs/generated/readers.md` shows them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import attrs

from tests.differential.cases import Case

Severity = Literal["differs", "we refuse", "they refuse"]
"""The worst first: both read it and see other things; they read what we refuse; we read what they refuse."""

SEVERITIES: tuple[Severity, ...] = ("differs", "we refuse", "they refuse")


@attrs.frozen
class Reason:
    """Fits a disagreement of this severity if each pattern is found.

    `error` is looked for in the error of the side that refuses, `readers` at the beginning of the reader's name,
    `shape` in the name of the case's form, `change` in the name of one of its changes, and `verify` in a problem that
    `lamina verify` reports.
    """

    severity: Severity
    error: str
    why: str
    readers: str = ""
    change: str = ""
    verify: str = ""
    shape: str = ""


_BUILDING = "building on it: .*"

DIFFERS = (
    Reason(
        "differs",
        r"they see .*frozenset\(\{'([^':/]+):latest'\}\).*we see .*frozenset\(\{'\1'\}\)",
        "The name of an entry of `index.json` is a tag alone: podman takes it for a name",
        readers="podman",
        change="known field|field null|field removed|field of another type|odd text",
    ),
    Reason(
        "differs",
        r"layers=(\([^)]*\)), config=('[^']*'), .*we see .*layers=\1, config=\2",
        "The two sides of an archive give one image other names, and `oci-layout` is damaged: podman does not read "
        "`oci-layout`, and takes the names of the OCI side",
        readers="podman",
        verify="OCI layout of version",
    ),
)

WE_REFUSE = (
    Reason(
        "we refuse",
        "a key occurs twice|the key .* which some readers take for",
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
        "None is no sha256 or sha512 digest",
        "A manifest whose config has no digest: Skopeo copies it as it is, and containerd does not look at it",
        readers="skopeo oci|podman|docker 26, containerd",
    ),
    Reason(
        "we refuse",
        "the hard link .* comes before",
        "A hard link before the file that it leads to, which readers that look members up need not follow",
        readers="docker 26, containerd|skopeo|podman",
        change="file behind a link",
    ),
    Reason(
        "we refuse",
        "has the media type .* in its descriptor",
        "A document whose own media type is not that of its descriptor, which readers take for different things",
        readers="skopeo oci|podman|docker 26, containerd",
    ),
    Reason(
        "we refuse",
        "goes down and up again|leaves the archive|is below .* which is no directory",
        "A name or a link that is absolute, or goes up: readers that unpack and readers that look names up differ",
    ),
    Reason("we refuse", "the config's bytes have the digest", "A config whose name is the digest of other bytes"),
    Reason(
        "we refuse",
        "of the unknown type|ends with a slash, but|has a size where no data can be|is sparse|sparse file",
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
        r"layers in the manifest, \d+ diff IDs|layers is missing|the config says diff ID|rootfs|the config is"
        "|is no (sha256 |sha256 or sha512 )?digest",
        "An OCI image whose layers are not those of its config: Skopeo and podman do not compare them, and containerd "
        "does so only for the processor that it unpacks for",
        readers="skopeo|podman|docker 26, containerd",
    ),
    Reason(
        "we refuse",
        r"(history|rootfs[\w.]*|config|os|architecture|variant|os\.version) is .*, not an? ",
        "A config with a field of a wrong type, which Docker refuses, and readers of OCI images do not read",
        readers="skopeo|podman|docker 26, containerd",
    ),
    Reason(
        "we refuse",
        _BUILDING + "(layers in manifest.json|no member|an item of|Config is|Layers is|manifest.json)",
        "An archive with two sides of which the docker side is broken: podman reads the other",
        readers="podman",
    ),
    Reason(
        "we refuse",
        "its bytes are not those of its digest|and its descriptor says|a descriptor('s| is)",
        "A descriptor with another size or type than its blob's, which some readers do not look at",
        readers="skopeo oci|podman|docker 26, containerd",
    ),
    Reason("we refuse", "contains no image;", "An archive without an image: Docker and podman load nothing from it"),
    Reason("we refuse", "contains no image for linux/", "An image for another processor, unless it is asked for"),
    Reason(
        "we refuse",
        "no member .*layer.tar",
        "A repeated layer of which one name is missing: Skopeo and podman read it by the other",
        readers="skopeo docker|podman",
        change="another name|missing|link",
    ),
    Reason(
        "we refuse",
        "no member |is no file|(oci-layout|the document) is missing|OCI layout of version",
        "containerd finds blobs by their digest under any name. Skopeo and podman do not read `oci-layout`",
        readers="docker 26, containerd|skopeo oci|podman",
    ),
    Reason(
        "we refuse",
        "(an item of )?(RepoTags|Layers|manifest.json) is ",
        "A name or a repeated layer of a wrong type, which Docker refuses, and others do not look at",
        readers="skopeo|podman|docker 26, containerd",
    ),
)

THEY_REFUSE = (
    Reason(
        "they refuse",
        'exec: "xz": executable file not found',
        "Docker and containerd run a program to decompress xz, which the machine may not have",
        readers="docker",
        change="in another compression",
    ),
    Reason(
        "they refuse",
        "invalid tar header|unexpected EOF|Digest did not match",
        "Lamina decompresses lzma, too, and zstd where older readers do not",
        change="in another compression",
    ),
    Reason(
        "they refuse",
        "invalid tar header|unhandled tar header|unexpected EOF|whiteout|file exists|not a directory"
        "|no such file or directory|breakout"
        "|invalid hardlink|file name too long|is a directory|Size mismatch",
        "A layer that cannot be unpacked: `lamina verify` reports what is wrong with it",
        readers="docker|podman",
        change="unusual (files|headers|end) (in|of) a layer",
        verify="tar archive|tar header|tar member|the member .* (is|leaves|has|comes|occurs)",
    ),
    Reason(
        "they refuse",
        r"link .*no such file or directory|tar file\(no such file or directory\)",
        "A hard link to a file that its layer does not contain: `lamina verify --for docker` reports it",
        readers="docker|podman",
        change="unusual files in a layer",
    ),
    Reason(
        "they refuse",
        r"(setxattr|capability|exit status \d+\)).*invalid argument",
        "A layer with file capabilities that the kernel refuses. Lamina does not unpack it",
        readers="docker|podman",
        change="unusual headers in a layer",
    ),
    Reason(
        "they refuse",
        "duplicates of file paths not supported",
        "A layer with two members of one name, which Docker and podman refuse even if both are directories",
        readers="docker|podman",
        change="unusual files in a layer",
    ),
    Reason(
        "they refuse",
        "open /a/c: no such file or directory|mkparent .*(file exists|not a directory)",
        "A layer with a file below a link to nothing. Lamina does not unpack it",
        readers="docker|podman",
        change="unusual files in a layer",
    ),
    Reason(
        "they refuse",
        "too many non-empty layers",
        "A history of more layers than the image has: it can be inspected, and is no base",
        verify="history",
    ),
    Reason(
        "they refuse",
        'untar manifest "manifest.json"',
        "containerd reads `manifest.json` beside an OCI layout, too: `lamina verify` reports what is wrong with it",
        readers="docker 26, containerd",
        verify="manifest.json",
    ),
    Reason(
        "they refuse",
        "no answer",
        "Docker 20.10 crashes on an image for an operating system that it does not know, such as darwin",
        readers="docker 20.10",
        change="known field|odd text|of another type",
    ),
    Reason(
        "they refuse",
        "cannot unmarshal|parsing time|UnmarshalJSON|invalid character|no answer|end of JSON|Unmarshaling",
        "A config with a field of a wrong type can be inspected, and `lamina verify` reports it",
        verify="it takes|it is |the item|an item|not JSON|not an? ",
    ),
    Reason(
        "they refuse",
        "(LayerSources|Parent|[sS]chemaVersion).* of type |schema version",
        "A field of a wrong type that Lamina does not use",
    ),
    Reason(
        "they refuse",
        "(determining manifest MIME type|reading config blob|reading blob|parsing image configuration: open) .*"
        "(no such file|does not match provided)|content digest .*not found",
        "An index of two images for one processor, one of them damaged or not whole: Lamina takes the other",
        readers="skopeo oci|podman|docker 26, containerd",
        change="missing|digest|another name|link",
        shape="OCI index",
    ),
    Reason(
        "they refuse",
        "untarring file .*(no such file|not a directory|invalid symlink|breakout|invalid hardlink|file exists)",
        "Skopeo and podman unpack an OCI archive, and some members cannot be unpacked",
        readers="skopeo oci|podman",
    ),
    Reason(
        "they refuse",
        "cannot load .* image on|unknown operating system|platform specifier|no image found in (image index|manifest)",
        "An image for another operating system or processor can be inspected",
    ),
    Reason(
        "they refuse",
        "invalid reference format|[iI]nvalid tag|must be lowercase|normalize image ref|invalid image reference"
        "|repository name must not be more than 255|Invalid image ",
        "An image with an invalid name can be read, though not by that name",
    ),
    Reason(
        "they refuse",
        "no target for symlink|failed to resolve layers|config .* not found|unrecognized image|missing index.json",
        "containerd looks members up by their exact names, and follows no hard links",
        readers="docker 26, containerd",
        change="link|prefix|missing|another name",
    ),
    Reason(
        "they refuse",
        'failed to resolve layers: layer .*/layer.tar" not found',
        "containerd does not follow the link of a repeated layer where the names of members begin with `./`",
        readers="docker 26, containerd",
    ),
    Reason(
        "they refuse",
        "Digest did not match|end of JSON input|[sS]ize mismatch",
        "Skopeo and podman take the size of a file from the link that leads to it, and follow no hard links",
        readers="skopeo|podman",
        change="file behind a link",
    ),
    Reason(
        "they refuse", "link .* no such file", "A hard link before the file that it leads to", change="behind a link"
    ),
    Reason(
        "they refuse",
        "more than one image in oci|choose an image|filtered out",
        "Skopeo and podman take an OCI archive with one image, or ask for its name",
        readers="skopeo oci|podman|docker 26, containerd",
    ),
)

REASONS = (*DIFFERS, *WE_REFUSE, *THEY_REFUSE)
"""The first that fits counts."""


def reason_for(severity: Severity, reader: str, error: str, problems: Sequence[str], case: Case) -> Reason | None:
    """The first reason that fits, if any."""
    return next((each for each in REASONS if _fits(each, severity, reader, error, problems, case)), None)


def _fits(reason: Reason, severity: Severity, reader: str, error: str, problems: Sequence[str], case: Case) -> bool:
    return (
        reason.severity == severity
        and re.match(reason.readers, reader) is not None
        and any(re.search(reason.change, kind) for kind in case.kinds)
        and re.search(reason.shape, case.shape) is not None
        and (not reason.verify or any(re.search(reason.verify, problem) for problem in problems))
        and re.search(reason.error, error, re.DOTALL) is not None
    )
