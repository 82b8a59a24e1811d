"""Verifies the v1 side of an archive: the chains of layers to which `repositories` refers, as Mesos follows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import attrs

from lamina.data.blob import Place, read_all
from lamina.data.compression import plain
from lamina.errors import BadInput
from lamina.image.layer import Layer, hashed
from lamina.limits import DOCUMENT_BYTES, V1_CHAIN
from lamina.media.files import Members, read_document
from lamina.oci.digest import Digest, chain_ids
from lamina.oci.spelling import CONFIG_DOCUMENT, REPOSITORIES
from lamina.oci.strict_json import Json, expect
from lamina.report.agreement import Named, whole_name

_REMEDY = "create the archive again"

Stacks = Mapping[Digest, Sequence[Digest]]
"""The diff IDs of each image, by its identity."""


def check_v1_chains(members: Members, stacks: Stacks, images: Sequence[Named], known: Mapping[Place, Digest]) -> None:
    """Each name must refer to a chain with the layers of an image: of the image of that name, if there is one.

    `known` has the digests of files that were read already. Docker 25 and later write digests of layers into
    `repositories` that no directory belongs to; such entries are ignored. Raises BadInput.
    """
    if "repositories" not in members:
        return
    where = f"{members.where}(repositories)"
    chains = _Chains(members, dict(known))
    tops = {identity: _Top.of(stack) for identity, stack in stacks.items()}
    named: dict[str, set[_Top]] = {}
    for image in images:
        for name in image.names:
            named.setdefault(name, set()).add(tops[image.identity])
    any_image = _Allowed.of(tops.values())
    names = read_document(members, "repositories", REPOSITORIES)
    for name, tags in _map(names, "repositories", where).items():
        for tag, top in _map(tags, f"repositories.{name}", where).items():
            identity = expect(top, str, f"the ID of {name}:{tag}", where)
            if not any(f"{identity}/{file}" in members for file in ("json", "VERSION", "layer.tar")):
                continue
            own = named.get(whole_name(f"{name}:{tag}") or "")
            allowed = _Allowed.of(own) if own else any_image
            depth = chains.read(identity)
            if depth not in allowed.depths:
                raise BadInput(where, f"the v1 chain of {name}:{tag} has another length", _REMEDY)
            if depth and chains.chain_id(identity) not in allowed.chain_ids:
                raise BadInput(where, f"the v1 chain of {name}:{tag} has other layers than the image", _REMEDY)


class _Top(NamedTuple):
    """All layers of an image: their number, and the chain ID of the top layer."""

    depth: int
    chain_id: Digest | None

    @classmethod
    def of(cls, stack: Sequence[Digest]) -> _Top:
        return cls(len(stack), chain_ids(stack)[-1] if stack else None)


class _Allowed(NamedTuple):
    """The allowed lengths and chain IDs of a v1 chain. Names without an image of that name share one `_Allowed`."""

    depths: frozenset[int]
    chain_ids: frozenset[Digest | None]

    @classmethod
    def of(cls, tops: Iterable[_Top]) -> _Allowed:
        tops = list(tops)
        return cls(frozenset(top.depth for top in tops), frozenset(top.chain_id for top in tops))


def _map(value: object, what: str, where: str) -> Json:
    """The JSON object; an empty one for null, as Go reads it. Raises BadInput."""
    return {} if value is None else expect(value, dict, what, where)


@attrs.define(eq=False)
class _Chains:
    """Parents, depths and chain IDs of v1 images; each is read once, and so is each layer."""

    members: Members
    digests: dict[Place, Digest]
    _parents: dict[str, str] = attrs.field(factory=dict)
    _depths: dict[str, int] = attrs.field(factory=dict)
    _chain_ids: dict[str, Digest] = attrs.field(factory=dict)

    def read(self, top: str) -> int:
        """How many v1 images there are from `top` to the one without a parent. Raises BadInput."""
        chain: dict[str, None] = {}
        identity = top
        while identity and identity not in self._depths:
            where = f"{self.members.where}({identity}/json)"
            if identity in chain or len(chain) > V1_CHAIN:
                raise BadInput(where, "the chain of parents forms a circle", _REMEDY)
            chain[identity] = None
            fields = expect(read_document(self.members, f"{identity}/json", CONFIG_DOCUMENT), dict, "v1 JSON", where)
            if fields.get("id") not in (None, identity):
                raise BadInput(where, f"has the id {fields['id']!r:.80}, which is not that of its directory", _REMEDY)
            self._check_version(identity)
            self.members.blob(f"{identity}/layer.tar")
            self._parents[identity] = expect(fields.get("parent") or "", str, "parent", where)
            identity = self._parents[identity]
        for depth, each in enumerate(reversed(chain), 1 + self._depths.get(identity, 0)):
            self._depths[each] = depth
        return self._depths.get(top, 0)

    def _check_version(self, identity: str) -> None:
        """Raises BadInput: the version of the layer's JSON is not that of Docker's image spec."""
        name = f"{identity}/VERSION"
        where = f"{self.members.where}({name})"
        if name in self.members and read_all(self.members.blob(name), DOCUMENT_BYTES, where).strip() != b"1.0":
            raise BadInput(where, "has another version than 1.0", "write 1.0 (Docker image spec v1.2)")

    def chain_id(self, top: str) -> Digest:
        """The chain ID of all layers from the bottom to `top`. Raises BadInput: a layer cannot be read."""
        waiting = []
        identity = top
        while identity and identity not in self._chain_ids:
            waiting.append(identity)
            identity = self._parents[identity]
        for each in reversed(waiting):
            parent = self._chain_ids.get(self._parents[each])
            layer = self._digest(each)
            self._chain_ids[each] = chain_ids([parent, layer])[-1] if parent else layer
        return self._chain_ids[top]

    def _digest(self, identity: str) -> Digest:
        name = f"{identity}/layer.tar"
        blob = self.members.blob(name)
        place = blob.place
        if place not in self.digests:
            where = f"{self.members.where}({name})"
            self.digests[place] = hashed(Layer.of(plain(blob, where, self.members.budget), where)).diff_id or Digest("")
        return self.digests[place]
