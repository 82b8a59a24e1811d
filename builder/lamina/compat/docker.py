"""The docker archive: `manifest.json` and the files that it refers to (Docker image spec v1.2)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from lamina.compat.check import ALL, Check, Fault
from lamina.compat.facts import ClaimedImage, Facts, items, mapping, named, texts
from lamina.errors import BadInput
from lamina.oci.config import type_faults
from lamina.oci.timestamps import check_timestamp

_SYSTEMS = (
    "linux",
    "windows",
    "darwin",
    "freebsd",
    "netbsd",
    "openbsd",
    "dragonfly",
    "solaris",
    "illumos",
    "android",
    "aix",
    "plan9",
)
_MACHINES = (
    *("amd64", "arm64", "386", "arm", "riscv64", "loong64", "ppc64le", "ppc64", "s390x"),
    *("mips", "mipsle", "mips64", "mips64le", "wasm"),
)
"""Values of GOOS and GOARCH, which images use (OCI image spec, config.md)."""


def has_manifest(facts: Facts) -> Iterator[Fault]:
    """The archive must contain the regular file `manifest.json`."""
    if facts.docker is None:
        yield "manifest.json", "is missing"
    elif not facts.is_file("manifest.json"):
        yield "manifest.json", "is not a regular file"


def one_image(facts: Facts) -> Iterator[Fault]:
    """`manifest.json` must list one image."""
    if facts.docker is not None and len(facts.docker) != 1:
        yield "manifest.json", f"lists {len(facts.docker)} images"


def sources(facts: Facts) -> Iterator[Fault]:
    """`manifest.json` must not have the field LayerSources."""
    for image in facts.docker or ():
        if "LayerSources" in image.fields:
            yield "manifest.json", "has the field LayerSources"


def regular(facts: Facts) -> Iterator[Fault]:
    """Configs and layers must be regular files. A repeated layer may be a link: its second file is not read."""
    for image in facts.docker or ():
        seen = set()
        for path in texts(image.fields.get("Layers")):
            survey = facts.surveys.get(path)
            if survey and survey.digest in seen:
                continue
            seen.add(survey and survey.digest)
            if _is_odd(facts, path):
                yield "manifest.json", f"the layer {path} is not a regular file of this name"
        if _is_odd(facts, image.config_path):
            yield "manifest.json", f"the config {image.config_path} is not a regular file of this name"


def _is_odd(facts: Facts, path: str) -> bool:
    """Whether the member is not a file, or the path is not in its shortest form, as member names are."""
    clean = posixpath.normpath(path)
    return clean in facts.by_name and (clean != path or not facts.is_file(clean))


def diff_ids(image: ClaimedImage) -> list[str]:
    """The diff IDs in the image's config, from the bottom to the top."""
    return texts(mapping(mapping(image.config).get("rootfs")).get("diff_ids"))


def matching(facts: Facts) -> Iterator[Fault]:
    """The layers must have the diff IDs of the config, in the same order."""
    for image in facts.images:
        claimed = diff_ids(image)
        if len(claimed) != len(image.layers):
            yield image.config_path, f"lists {len(claimed)} layers, but the image has {len(image.layers)}"
            continue
        for path, diff_id in zip(image.layers, claimed, strict=True):
            if path in facts.surveys and facts.surveys[path].digest != diff_id:
                yield path, f"is not the layer {diff_id}, which the config lists at this position"


def plain(facts: Facts) -> Iterator[Fault]:
    """At least one layer must be uncompressed. If only some are compressed, the check `alike` fails."""
    for image in facts.images:
        packed = [survey for survey in facts.stack(image) if survey.compression]
        if packed and len(packed) == len(image.layers):
            yield image.layers[0], f"is compressed ({packed[0].compression}), and so are all other layers"


def alike(facts: Facts) -> Iterator[Fault]:
    """Either all layers must be compressed, or none."""
    for image in facts.images:
        kinds = {path: facts.surveys[path].compression for path in image.layers if path in facts.surveys}
        if len(set(kinds.values())) > 1:
            path = next(path for path in kinds if kinds[path])
            yield path, f"is compressed ({kinds[path]}), but other layers are not"


def tags(facts: Facts) -> Iterator[Fault]:
    """RepoTags must be names in lower case, each with a tag."""
    for image in facts.docker or ():
        if not isinstance(image.fields.get("RepoTags") or [], list):
            yield "manifest.json", "RepoTags is not an array"
        for text in items(image.fields.get("RepoTags")):
            name = str(text).rpartition(":")[0]
            tagged = bool(name) and "/" not in str(text).rpartition(":")[2]
            if not tagged or named(str(text)) is None or name != name.lower():
                yield "manifest.json", f"{text!r:.100} is not a name in lower case with a tag"


def platform(facts: Facts) -> Iterator[Fault]:
    """The config must have an operating system and an architecture in Go's words."""
    for image in facts.images:
        config = mapping(image.config)
        names = f"{config.get('os')}/{config.get('architecture')}"
        if config.get("os") not in _SYSTEMS or config.get("architecture") not in _MACHINES:
            yield image.config_path, f"is for {names}, which is not a platform"


def config_types(facts: Facts) -> Iterator[Fault]:
    """The config must be an object, and each of its fields must have the right type."""
    for image in facts.images:
        if image.config is None:
            yield image.config_path or "the image", "has no config"
            continue
        inner = image.config.get("config")
        if not isinstance(inner, dict | None):
            yield image.config_path, "config is not an object"
        for fault in type_faults(mapping(inner)):
            yield image.config_path, f"{fault.field} {fault.what}; {fault.remedy}"


def times(facts: Facts) -> Iterator[Fault]:
    """All times of the config must be those of RFC 3339."""
    for image in facts.images:
        config = mapping(image.config)
        if not _is_time(config.get("created")):
            yield image.config_path, "created is not a time of RFC 3339"
        if not all(_is_time(mapping(entry).get("created")) for entry in items(config.get("history"))):
            yield image.config_path, "a time in the history is not one of RFC 3339"


def _is_time(value: object) -> bool:
    """Whether the value is missing, or a time of RFC 3339."""
    try:
        return value is None or (isinstance(value, str) and bool(check_timestamp(value, "created", "")))
    except BadInput:
        return False


def history(facts: Facts) -> Iterator[Fault]:
    """The history must have an entry for each layer, or none at all."""
    for image in facts.images:
        entries = [mapping(entry) for entry in items(mapping(image.config).get("history"))]
        count = sum(not entry.get("empty_layer") for entry in entries)
        if entries and count != len(diff_ids(image)):
            yield image.config_path, f"the history has entries for {count} layers, the image has {len(diff_ids(image))}"


_CONTAINERS_IMAGE = ("podman", "buildah", "skopeo")

CHECKS = (
    Check(
        "docker-side",
        "There is a `manifest.json`.",
        ("docker", "docker-spec", "dive", "crane", "trivy", "kind"),
        "moby image/tarexport/load.go; go-containerregistry pkg/v1/tarball; trivy pkg/fanal/image/archive.go",
        has_manifest,
    ),
    Check(
        "docker-one-image",
        "`manifest.json` lists one image.",
        ("skopeo", "buildah", "syft", "dive", "crane", "trivy"),
        "containers/image docker/internal/tarfile/reader.go (expected 1 item); stereoscope ErrMultipleManifests",
        one_image,
    ),
    Check(
        "docker-no-sources",
        "`manifest.json` has no `LayerSources`.",
        ("crane", "trivy"),
        "go-containerregistry#1870: layers get their media types from there",
        sources,
    ),
    Check(
        "layers-regular",
        "Config and layers in `manifest.json` are regular files, by their plain names.",
        (*_CONTAINERS_IMAGE, "docker-spec", "dive"),
        "containers/image docker/internal/tarfile/src.go prepareLayerData takes sizes from the header of that name",
        regular,
    ),
    Check(
        "layers-match",
        "Each layer is the one that the config lists at its position.",
        ALL,
        "OCI image spec config.md, rootfs.diff_ids; moby load.go (invalid diffID)",
        matching,
    ),
    Check(
        "layers-plain",
        "Layers are not compressed.",
        ("docker-spec",),
        "Docker image spec v1.2, layer.tar",
        plain,
    ),
    Check(
        "layers-alike",
        "Either all layers are plain, or all are compressed.",
        ("crane", "trivy", "docker-spec"),
        "go-containerregistry pkg/v1/tarball/image.go areLayersCompressed looks at the first layer only",
        alike,
    ),
    Check(
        "tags-whole",
        "`RepoTags` are names in lower case, each with a tag.",
        ("docker", "skopeo", "buildah", "docker-spec"),
        "moby load.go (invalid tag); containers/image docker/internal/tarfile",
        tags,
    ),
    Check(
        "config-platform",
        "The config names a platform that exists.",
        ("containerd", "docker-containerd"),
        "containerd client/import.go skips images for other platforms",
        platform,
    ),
    Check(
        "config-types",
        "The config is an object, and every field in it has the type that it should have.",
        ("docker", "containerd", "podman", "buildah", "umoci", "docker-spec"),
        "image-spec specs-go/v1/config.go, which readers in Go decode into",
        config_types,
    ),
    Check(
        "config-times",
        "Times in the config have the form of RFC 3339.",
        ("docker", "containerd", *_CONTAINERS_IMAGE, "umoci", "docker-spec"),
        "image-spec specs-go/v1/config.go, time.Time",
        times,
    ),
    Check(
        "config-history",
        "The history is empty or lists every layer.",
        ("docker", "dive", "docker-spec"),
        "moby load.go (too many non-empty layers in History section); dive indexes diff_ids by history",
        history,
    ),
)
