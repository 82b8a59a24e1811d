"""Image names: `registry/repository:tag`, as people write them and as tools store them.

The grammar is that of distribution/reference (reference.go, normalize.go): the part before the first slash is a
registry if it contains a dot or a colon, or if it is `localhost`. Otherwise the registry is `docker.io`, and a name
without a slash is in `library/` there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lamina.errors import BadInput

DEFAULT_REGISTRY = "docker.io"
_OFFICIAL = "library/"

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_MAX_NAME = 255
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"


class Reference(NamedTuple):
    """A name of an image: `docker.io/library/redis:7` is registry `docker.io`, repository `library/redis`, tag `7`.

    Source of the grammar: distribution/reference (reference.go, normalize.go).
    """

    registry: str
    repository: str
    tag: str

    @property
    def qualified_name(self) -> str:
        """`docker.io/library/redis`: the form that containerd, podman and Skopeo store."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar_name(self) -> str:
        """`redis`: the form that people type, `docker images` prints and Mesos looks up."""
        if self.registry != DEFAULT_REGISTRY:
            return self.qualified_name
        for short in (self.repository.removeprefix(_OFFICIAL), self.repository):
            if _split(short) == (self.registry, self.repository):
                return short
        return self.qualified_name  # in `docker.io/a.b/c` without `docker.io/`, `a.b` would be the registry

    @property
    def qualified(self) -> str:
        """`docker.io/library/redis:7`."""
        return f"{self.qualified_name}:{self.tag}"

    @property
    def familiar(self) -> str:
        """`redis:7`."""
        return f"{self.familiar_name}:{self.tag}"


FILE_TRANSPORTS = ("dir", "docker-archive", "oci", "oci-archive")
STORE_TRANSPORTS = ("containers-storage", "docker-daemon")
"""What Skopeo writes with a colon before the place of an image that is in no registry (containers-transports(5))."""


def make_reference(name: str, tag: str, where: object) -> Reference:
    """The reference with a name and a tag. Upper case in the name becomes lower case.

    Raises BadInput: a name or a tag that registries and daemons do not accept.
    """
    registry, repository = _split(name.lower())
    if registry != DEFAULT_REGISTRY and not re.fullmatch(_HOST, registry):
        raise BadInput(where, f"{registry!r} is no registry", "write HOST or HOST:PORT before the first slash")
    too_long = len(f"{registry}/{repository}") > _MAX_NAME
    if too_long or not all(re.fullmatch(_COMPONENT, part) for part in repository.split("/")):
        remedy = f"use letters, digits and single . _ - between them, at most {_MAX_NAME} with the registry"
        raise BadInput(where, f"{name!r} is no image name", remedy)
    if not re.fullmatch(_TAG, tag):
        remedy = "use up to 128 letters, digits, _ . and -, not starting with . or -"
        raise BadInput(where, f"{tag!r} is no image tag", remedy)
    return Reference(registry, repository, tag)


def parse_reference(text: str, where: object) -> Reference:
    """The reference `name:tag`; the default tag is `latest`. Raises BadInput: as `make_reference`."""
    name, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        name, tag = text, "latest"
    return make_reference(name, tag, where)


def _split(name: str) -> tuple[str, str]:
    """Registry and repository."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = DEFAULT_REGISTRY, name
    if registry == "index.docker.io":
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = _OFFICIAL + repository
    return registry, repository
