"""What Mesos and Docker up to 1.9 need: the v1 images, which are `repositories` and the chain of `<id>/json` below it.

Read by Mesos (src/slave/containerizer/mesos/provisioner/docker/image_tar_puller.cpp and store.cpp, src/docker/spec.cpp)
and by Docker up to 1.9 (graph/load.go, image/image.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from lamina.compat.check import Check, Fault
from lamina.compat.docker import diff_ids
from lamina.compat.facts import V1_ID, Facts, items, mapping, named, texts
from lamina.errors import BadInput
from lamina.limits import IMAGES, V1_CHAIN
from lamina.oci.digest import Digest, chain_ids, hex_of, sha256
from lamina.oci.strict_json import Json, canonical
from lamina.oci.timestamps import check_timestamp


def has_repositories(facts: Facts) -> Iterator[Fault]:
    """`repositories` must be a regular file that refers to complete v1 images."""
    if facts.repositories is None:
        yield "repositories", "is missing"
        return
    if not facts.is_file("repositories"):
        yield "repositories", "is not a regular file"
    for name, tags in facts.repositories.items():
        if not isinstance(tags, dict):
            yield "repositories", f"{name!r:.60} has no tags"
        for tag, top in mapping(tags).items():
            absent = [file for file in ("json", "VERSION", "layer.tar") if f"{top}/{file}" not in facts.by_name]
            if not isinstance(top, str) or not V1_ID.fullmatch(top):
                yield "repositories", f"{name}:{tag} does not refer to a v1 ID"
            elif absent:
                yield "repositories", f"{name}:{tag} refers to {top[:12]}, which has no {absent[0]}"


def names(facts: Facts) -> Iterator[Fault]:
    """`repositories` must have the familiar names. Mesos looks a name up as the user wrote it: `redis`."""
    if facts.repositories is None or facts.docker is None:
        return
    expected = {parsed.familiar for image in facts.docker for tag in image.tags if (parsed := named(tag))}
    listed = {f"{name}:{tag}" for name, tags in facts.repositories.items() for tag in mapping(tags)}
    for name in sorted(expected ^ listed):
        problem = "does not list" if name in expected else "lists, unlike manifest.json,"
        yield "repositories", f"{problem} {name}"


def chains(facts: Facts) -> list[list[str]]:
    """The v1 IDs of each image, from its top layer to its bottom layer. A circular chain ends before it repeats."""
    parents = {identity: _parent(fields) for identity, fields in facts.v1.items()}
    tagged = [str(top) for tags in mapping(facts.repositories).values() for top in mapping(tags).values()]
    tops = [top for top in dict.fromkeys(tagged) if top in parents]
    if not tagged:
        below = set(parents.values())
        tops = [identity for identity in parents if identity not in below]
    return [_chain(parents, top) for top in tops[:IMAGES]]


def _chain(parents: Mapping[str, str], top: str) -> list[str]:
    chain = {top: None}
    last = top
    while (parent := parents.get(last, "")) and parent not in chain and len(chain) <= V1_CHAIN:
        chain[parent] = None
        last = parent
    return list(chain)


def _parent(fields: Json) -> str:
    parent = mapping(fields).get("parent")
    return parent if isinstance(parent, str) else ""


def chain_whole(facts: Facts) -> Iterator[Fault]:
    """Each chain of parents must visit every layer of an image once, and end."""
    depths = {len(diff_ids(image)) for image in facts.images}
    visited = set()
    for chain in chains(facts):
        visited.update(chain)
        last = facts.v1.get(chain[-1])
        if last is None or _parent(last):
            yield f"{chain[-1]}/json", "the chain of parents does not end here, or forms a circle"
        elif len(chain) not in depths:
            yield f"{chain[0]}/json", f"a chain of {len(chain)} layers, a number that no image has"
    for identity in sorted(set(facts.v1) - visited):
        yield f"{identity}/json", "is in no chain of parents"


_TEXTS = ("id", "parent", "comment", "created", "container", "docker_version", "author", "architecture", "os")
_INNER_TEXTS = ("Hostname", "User", "WorkingDir", "Image")


def documents(facts: Facts) -> Iterator[Fault]:
    """The documents must have the types that Mesos (docker::spec::v1::parse) and Docker up to 1.9 accept."""
    for identity in _visited(facts):
        fields, where = facts.v1[identity], f"{identity}/json"
        if not isinstance(fields, dict):
            yield where, "is not an object"
            continue
        for what in _wrong_types(fields):
            yield where, what
        if fields.get("id") != identity:
            yield where, "its id is not the name of its directory"
        if isinstance(fields.get("created"), str) and not _is_time(fields["created"]):
            yield where, "created is not a time of RFC 3339"


def _visited(facts: Facts) -> list[str]:
    return list(dict.fromkeys(identity for chain in chains(facts) for identity in chain if identity in facts.v1))


def _wrong_types(fields: Json) -> Iterator[str]:
    yield from (f"{key} is not a string" for key in _TEXTS if not isinstance(fields.get(key), str | None))
    if isinstance(fields.get("Size"), bool) or not isinstance(fields.get("Size"), int | float | None):
        yield "Size is not a number"
    for key in ("config", "container_config"):
        inner = fields.get(key)
        if not isinstance(inner, dict | None):
            yield f"{key} is not an object"
        inner = mapping(inner)
        yield from (
            f"{key}.{name} is not a string" for name in _INNER_TEXTS if not isinstance(inner.get(name), str | None)
        )
        for name in ("Entrypoint", "Env", "Cmd"):
            value = inner.get(name)
            if not isinstance(value, list | str | None) or len(texts(value)) != len(items(value)):
                yield f"{key}.{name} is not an array of strings"
        labels = inner.get("Labels")
        if not isinstance(labels, dict | None) or not all(isinstance(v, str | None) for v in mapping(labels).values()):
            yield f"{key}.Labels is not an object of strings"


def _is_time(text: str) -> bool:
    try:
        return bool(check_timestamp(text, "created", ""))
    except BadInput:
        return False


def top_config(facts: Facts) -> Iterator[Fault]:
    """The top image must have a regular `json` with the image's config.

    Without one, a CHECK on has_config in isolators/docker/runtime.cpp aborts the Mesos agent. The file stays on the
    agent after the archive's tree is deleted.
    """
    configs = [_set(mapping(mapping(image.config).get("config"))) for image in facts.images]
    for chain in chains(facts):
        top, where = mapping(facts.v1.get(chain[0])), f"{chain[0]}/json"
        if not isinstance(top.get("config"), dict):
            yield where, "has no config object"
        elif _set(top["config"]) not in configs:
            yield where, "its config is not the image's"
        if not facts.is_file(where):
            yield where, "is not a regular file"


def _set(config: Json) -> Json:
    """The fields that are set. Docker writes every field, most of them empty."""
    return {key: value for key, value in config.items() if value}


def layers(facts: Facts) -> Iterator[Fault]:
    """Each `layer.tar` must be the layer that the config lists at this position."""
    expected = {tuple(diff_ids(image)) for image in facts.images}
    depths = {len(ids) for ids in expected}
    for chain in chains(facts):
        found = _digests(facts, chain)
        if len(found) in depths and found not in expected:
            known = {digest for ids in expected for digest in ids}
            odd = next((at for at, digest in enumerate(found) if digest not in known), 0)
            yield (
                f"{chain[-1 - odd]}/layer.tar",
                "is not the layer that the config lists at this position",
            )


def _digests(facts: Facts, chain: list[str]) -> tuple[str, ...]:
    """The digests of a chain's layers, bottom first. A layer that cannot be read has an empty one."""
    files = (f"{identity}/layer.tar" for identity in reversed(chain))
    surveys = ((path, facts.surveys.get(facts.target(path))) for path in files)
    return tuple(str((made.digest if made else facts.digest(path)) or "") for path, made in surveys)


def ids(facts: Facts) -> Iterator[Fault]:
    """IDs must be derived from content. Mesos keeps layers by ID and never removes them (store.cpp)."""
    expected = {tuple(diff_ids(image)) for image in facts.images}
    for chain in chains(facts):
        found = _digests(facts, chain)
        stack = chain_ids(map(Digest, found)) if found in expected else ()
        for identity, chain_id in zip(reversed(chain), stack, strict=False):
            if identity not in _derived(mapping(facts.v1.get(identity)), chain_id, identity == chain[0]):
                yield f"{identity}/json", "its ID is not derived from layers and config"


def _derived(fields: Json, chain_id: Digest, is_top: bool) -> set[str]:
    """The IDs that Lamina, Skopeo (tarfile/writer.go) and Docker (image/v1/imagev1.go) derive for a layer.

    Skopeo hashes the stored document with the chain ID. Docker hashes the document before it adds `os`, which it
    does for all layers except the top one, and with the parent's algorithm (`sha256:`). Both sort the keys of the
    outermost object, and escape some characters as Go's encoding/json does.
    """
    hashed = {key: value for key, value in fields.items() if key != "id"} | {"layer_id": chain_id}
    docker = {key: value for key, value in hashed.items() if is_top or key != "os"}
    if "parent" in docker:
        docker["parent"] = f"sha256:{docker['parent']}"
    return {hex_of(sha256(data)) for data in (canonical(hashed), _as_go(hashed), _as_go(docker))}


def _as_go(fields: Json) -> bytes:
    text = json.dumps({key: fields[key] for key in sorted(fields)}, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode(errors="surrogatepass")


def only_v1(facts: Facts) -> Iterator[Fault]:
    """Every directory at the top must be a v1 image, or repeat the bottom one: recursiveLoad reads them all."""
    bottoms = {chain[-1] for chain in chains(facts)}
    for name in sorted({name.partition("/")[0] for name in facts.by_name if "/" in name} - set(facts.v1)):
        bottom = mapping(facts.json(f"{name}/json")).get("id")
        if bottom not in bottoms:
            yield f"{name}/", "a directory that is not a v1 image"
        elif facts.target(f"{name}/layer.tar") != facts.target(f"{bottom}/layer.tar"):
            yield f"{name}/layer.tar", "is not the layer of the v1 image that this directory repeats"


_PULLER = "Mesos image_tar_puller.cpp"

CHECKS = (
    Check(
        "v1-side",
        "`repositories` refers to complete v1 images.",
        ("mesos", "docker-1.9"),
        f"{_PULLER} _pull; moby v1.9.1 graph/load.go",
        has_repositories,
    ),
    Check(
        "v1-names",
        "`repositories` contains the names of `manifest.json`, in their short form.",
        ("mesos", "docker-1.9"),
        f"{_PULLER} _pull looks up the repository that the user requested",
        names,
    ),
    Check(
        "v1-chain",
        "The chain of parents of each name contains every layer once and ends.",
        ("mesos", "docker-1.9"),
        f"{_PULLER} getParentLayerId; moby v1.9.1 graph/load.go recursiveLoad",
        chain_whole,
    ),
    Check(
        "v1-documents",
        "Each `<id>/json` has the types that readers require, and its own ID.",
        ("mesos", "docker-1.9"),
        "Mesos src/docker/spec.cpp v1::parse, stout protobuf.hpp; moby v1.9.1 image/image.go NewImgJSON",
        documents,
    ),
    Check(
        "v1-config",
        "The top `<id>/json` is a regular file and contains the image's config, as an object.",
        ("mesos",),
        "Mesos isolators/docker/runtime.cpp CHECK(has_config); store.cpp __get",
        top_config,
    ),
    Check(
        "v1-layers",
        "Each `<id>/layer.tar` is the layer at its position in the chain.",
        ("mesos", "docker-1.9"),
        f"{_PULLER} extractLayer: no digest is checked",
        layers,
    ),
    Check(
        "v1-ids",
        "The legacy IDs follow from layers and config.",
        ("mesos",),
        "Mesos store.cpp moveLayer; moby image/v1/imagev1.go CreateID",
        ids,
        needs=("v1-chain",),
    ),
    Check(
        "v1-only",
        "Every top-level directory is a v1 image, or repeats the bottom one.",
        ("docker-1.9",),
        "moby v1.9.1 graph/load.go Load",
        only_v1,
    ),
)
