"""Small image archives made with nothing but `tarfile`, to try the replays and the adapters on.

Independent of the builder on purpose: a mistake in the builder must not be able to hide in here too.
An archive is a list of `Member` until it is written, so a test breaks it by editing that list.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

BUSYBOX = Path("/bin/busybox")
CREATED = "1970-01-01T00:00:01Z"
APPLETS = ("sh", "cat", "ls", "id", "httpd", "sleep", "wget", "true", "false")


@frozen
class Member:
    """One entry of a tar: a directory (data and link absent), a regular file, or a symlink."""

    name: str
    data: bytes | None = None
    link: str | None = None
    mode: int = 0o644


@frozen
class Image:
    """What every layout is made from."""

    layers: tuple[bytes, ...]
    config: Mapping[str, Any]
    names: tuple[str, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(sha256(layer) for layer in self.layers)

    @property
    def config_bytes(self) -> bytes:
        steps = range(len(self.layers))
        return encode(
            {
                "architecture": "amd64",
                "config": self.config,
                "created": CREATED,
                "history": [{"created": CREATED, "created_by": f"layer {step}"} for step in steps],
                "os": "linux",
                "rootfs": {"diff_ids": [f"sha256:{diff_id}" for diff_id in self.diff_ids], "type": "layers"},
            }
        )

    @property
    def config_digest(self) -> str:
        return f"sha256:{sha256(self.config_bytes)}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def tar(members: Iterable[Member]) -> bytes:
    """A plain ustar stream of `members`, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            header = tarfile.TarInfo(member.name)
            header.mode = member.mode
            if member.link is not None:
                header.type, header.linkname, header.mode = tarfile.SYMTYPE, member.link, 0o777
            elif member.data is None:
                header.type, header.mode = tarfile.DIRTYPE, 0o755
            else:
                header.size = len(member.data)
            archive.addfile(header, io.BytesIO(member.data or b""))
    return buffer.getvalue()


def file_layer(files: Mapping[str, str]) -> bytes:
    """A layer of text files, with the directories they stand in before them."""
    parents = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    directories = [Member(parent) for parent in sorted(parents)]
    return tar([*directories, *(Member(name, text.encode()) for name, text in files.items())])


def busybox_layer() -> bytes:
    """busybox and its usual names, enough to run a command or a small web server."""
    links = (Member(f"bin/{applet}", link="busybox") for applet in APPLETS)
    program = Member("bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
    return tar([Member("bin"), program, *links, Member("tmp")])


def image(
    *names: str,
    files: Mapping[str, str] | None = None,
    extra: Sequence[bytes] = (),
    config: Mapping[str, Any] | None = None,
) -> Image:
    """A two-layer image whose Cmd prints `etc/greeting`; `extra` layers go on top."""
    content = file_layer(files or {"etc/greeting": "hello from an image\n"})
    default = {"Cmd": ["cat", "/etc/greeting"], "Env": ["PATH=/bin", "COLOUR=blue"], "WorkingDir": "/tmp"}
    return Image((busybox_layer(), content, *extra), config or default, names)


def web_image(name: str, port: int) -> Image:
    """An image that is a service: it answers `/page` on `port`."""
    command = ["httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/www"]
    # As a container's first process it takes no notice of SIGTERM, and stopping it would take long.
    config = {"Cmd": command, "Env": ["PATH=/bin"], "StopSignal": "SIGKILL"}
    return image(name, files={"www/page": "served\n"}, config=config)


def normal(name: str) -> str:
    """`name` with the registry and the `library/` that docker leaves out."""
    first, _, rest = name.partition("/")
    if not rest:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def legacy_ids(image: Image) -> list[str]:
    """Ids of the v1 chain, bottom first: each depends on all below it, the top one on the config too."""
    ids: list[str] = []
    for index, diff_id in enumerate(image.diff_ids):
        top = image.config if index == len(image.layers) - 1 else None
        ids.append(sha256(encode([ids[-1:], diff_id, top])))
    return ids


def legacy_json(image: Image, ids: Sequence[str], index: int) -> bytes:
    document: dict[str, Any] = {"id": ids[index], "created": CREATED, "os": "linux", "container_config": {}}
    if index:
        document["parent"] = ids[index - 1]
    if index == len(ids) - 1:
        document |= {"config": image.config, "architecture": "amd64"}
    return encode(document)


def repositories(image: Image, top: str, names: Iterable[str]) -> Member:
    table: dict[str, dict[str, str]] = {}
    for name in names:
        repository, _, tag = name.rpartition(":")
        table.setdefault(repository, {})[tag] = top
    return Member("repositories", encode(table))


def manifest_json(image: Image, config: str, layers: Sequence[str], names: Sequence[str]) -> Member:
    return Member("manifest.json", encode([{"Config": config, "Layers": layers, "RepoTags": names}]))


def oci_members(image: Image) -> list[Member]:
    """`oci-layout`, `index.json` and the blobs."""
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", image.config_bytes),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer) for layer in image.layers],
        }
    )
    bare = descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    annotated = [
        bare
        | {
            "annotations": {
                "io.containerd.image.name": normal(name),
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            }
        }
        for name in image.names
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": annotated or [bare],
    }
    blobs = dict.fromkeys((manifest, image.config_bytes, *image.layers))
    return [
        Member("oci-layout", encode({"imageLayoutVersion": "1.0.0"})),
        Member("index.json", encode(index)),
        Member("blobs"),
        Member("blobs/sha256"),
        *(Member(f"blobs/sha256/{sha256(blob)}", blob) for blob in blobs),
    ]


def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data)}


def universal(image: Image) -> list[Member]:
    """docker-archive, OCI layout and the v1 chain in one, each layer stored once."""
    ids = legacy_ids(image)
    members = oci_members(image)
    head, blobs = members[:2], members[2:]
    names = [normal(name) for name in image.names]
    layers = [f"blobs/sha256/{diff_id}" for diff_id in image.diff_ids]
    head += [
        manifest_json(image, f"blobs/sha256/{sha256(image.config_bytes)}", layers, names),
        repositories(image, ids[-1], image.names),
    ]
    chain: list[Member] = []
    for index, (layer_id, diff_id) in enumerate(zip(ids, image.diff_ids, strict=True)):
        link = Member(f"{layer_id}/layer.tar", link=f"../blobs/sha256/{diff_id}")
        chain += [*legacy_directory(image, ids, index), link]
    return head + blobs + chain


def docker_save(image: Image) -> list[Member]:
    """What docker 1.10 to 24 writes: a repeated layer is a link to the first layer's `layer.tar`."""
    ids = legacy_ids(image)
    config = f"{sha256(image.config_bytes)}.json"
    first: dict[str, str] = {}
    chain: list[Member] = []
    for index, (layer_id, diff_id) in enumerate(zip(ids, image.diff_ids, strict=True)):
        owner = first.setdefault(diff_id, layer_id)
        layer = Member(f"{layer_id}/layer.tar", image.layers[index])
        link = Member(f"{layer_id}/layer.tar", link=f"../{owner}/layer.tar")
        chain += [*legacy_directory(image, ids, index), layer if owner == layer_id else link]
    layers = [f"{layer_id}/layer.tar" for layer_id in ids]
    tail = [manifest_json(image, config, layers, image.names), repositories(image, ids[-1], image.names)]
    return [*chain, Member(config, image.config_bytes), *tail]


def skopeo_copy(image: Image) -> list[Member]:
    """What skopeo writes: layers at the top level, no directory members, normalised names."""
    ids = legacy_ids(image)
    names = [normal(name) for name in image.names]
    config = f"{sha256(image.config_bytes)}.json"
    layers = [f"{diff_id}.tar" for diff_id in image.diff_ids]
    members = [Member(f"{sha256(blob)}.tar", blob) for blob in dict.fromkeys(image.layers)]
    members.append(Member(config, image.config_bytes))
    for index, diff_id in enumerate(image.diff_ids):
        members.append(Member(f"{ids[index]}/layer.tar", link=f"../{diff_id}.tar"))
        members += legacy_directory(image, ids, index)[1:]
    return [*members, manifest_json(image, config, layers, names), repositories(image, ids[-1], names)]


def legacy_directory(image: Image, ids: Sequence[str], index: int) -> list[Member]:
    layer_id = ids[index]
    return [
        Member(layer_id),
        Member(f"{layer_id}/VERSION", b"1.0"),
        Member(f"{layer_id}/json", legacy_json(image, ids, index)),
    ]


LAYOUTS = {"universal": universal, "docker-save": docker_save, "skopeo": skopeo_copy}


def without(members: Iterable[Member], name: str) -> list[Member]:
    return [member for member in members if member.name != name]


def replaced(members: Iterable[Member], name: str, data: bytes) -> list[Member]:
    """`members` with other bytes under `name`, which must be there: a break that misses breaks nothing."""
    kept = list(members)
    position = [member.name for member in kept].index(name)
    return [*kept[:position], Member(name, data), *kept[position + 1 :]]


def edited(members: Iterable[Member], name: str, **changes: object) -> list[Member]:
    """`members` with some keys of the JSON object `name` changed; a key set to None is dropped."""
    kept = list(members)
    data = next(member.data for member in kept if member.name == name)
    assert data is not None
    document = json.loads(data) | changes
    return replaced(kept, name, encode({key: value for key, value in document.items() if value is not None}))


def write(path: Path, members: Iterable[Member]) -> Path:
    path.write_bytes(tar(members))
    return path
