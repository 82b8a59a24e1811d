"""Platforms, with Go's names for operating systems and processors, which images use; the choice of one platform."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from lamina.errors import BadInput
from lamina.oci.documents import Descriptor

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm", "armv6l": "arm"}


def host_architecture() -> str:
    """This machine's architecture, in Go's words."""
    machine = os.uname().machine
    return _GO_ARCHITECTURES.get(machine, machine)


def is_for(descriptor: Descriptor, system: str, architecture: str) -> bool:
    """Whether the entry of an index says that it is for the operating system and the architecture."""
    platform = descriptor.platform or {}
    return platform.get("os") == system and platform.get("architecture") == architecture


def for_platform(manifests: Sequence[Descriptor], system: str, architecture: str, where: object) -> Descriptor:
    """The first manifest for the operating system and the architecture, both in Go's words.

    Raises BadInput, which lists the platforms that `where` has.
    """
    for descriptor in manifests:
        if is_for(descriptor, system, architecture):
            return descriptor
    known = sorted({f"{d.platform.get('os')}/{d.platform.get('architecture')}" for d in manifests if d.platform})
    raise BadInput(where, f"contains no image for {system}/{architecture}", f"it contains: {', '.join(known[:20])}")


_SYNONYMS = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}
_VARIANTS = {("arm64", "v8"): "", ("arm64", "8"): "", ("arm", ""): "v7", ("amd64", "v1"): ""}


def normalized(platform: Mapping[str, object]) -> tuple[str, ...]:
    """What readers take the platform for (containerd's platforms package: database.go and defaults.go).

    Synonyms of a processor are one, and so are variants that mean the same.
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
