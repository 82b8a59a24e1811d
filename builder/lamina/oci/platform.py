"""Platforms, with Go's names for operating systems and processors, which images use; the choice of one platform."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from lamina.errors import BadInput
from lamina.oci.documents import Descriptor

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm", "armv6l": "arm"}


def host_architecture() -> str:
    """Go's name of this machine's architecture."""
    machine = os.uname().machine
    return _GO_ARCHITECTURES.get(machine, machine)


def is_for(descriptor: Descriptor, system: str, architecture: str) -> bool:
    """Whether the entry of an index says that it is for the operating system and the architecture."""
    platform = descriptor.platform or {}
    return platform.get("os") == system and platform.get("architecture") == architecture


def for_platform(manifests: Sequence[Descriptor], system: str, architecture: str, where: object) -> Descriptor:
    """The first manifest for the operating system and the architecture, both with Go's names.

    Raises BadInput: there is none. The error lists the platforms that `where` contains.
    """
    for descriptor in manifests:
        if is_for(descriptor, system, architecture):
            return descriptor
    known = sorted({f"{d.platform.get('os')}/{d.platform.get('architecture')}" for d in manifests if d.platform})
    listed = ", ".join(known[:20]) or "images without a platform"
    raise BadInput(where, f"contains no image for {system}/{architecture}", f"it contains: {listed}")


_SYNONYMS = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}
_VARIANTS = {("arm64", "v8"): "", ("arm64", "8"): "", ("arm", ""): "v7", ("amd64", "v1"): ""}


def normalized(platform: Mapping[str, object]) -> tuple[str, ...]:
    """Operating system, architecture, variant and version, equal for platforms that are equal for readers.

    Synonyms of architectures and of variants become one name, as in containerd's platforms package (database.go and
    defaults.go).
    """
    system, architecture, variant, version = (
        str(platform.get(key) or "").lower() for key in ("os", "architecture", "variant", "os.version")
    )
    if architecture in ("armhf", "armel"):
        variant = "v7" if architecture == "armhf" else "v6"
    architecture = _SYNONYMS.get(architecture, architecture)
    if architecture == "arm" and variant.isdecimal():
        variant = f"v{variant}"
    return system, architecture, _VARIANTS.get((architecture, variant), variant), version
