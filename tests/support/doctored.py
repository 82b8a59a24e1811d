"""Good archives with one thing changed: for each compatibility check, a change that it alone must notice."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from lamina.data.blob import Bytes
from lamina.image.image import Image
from lamina.image.layer import Layer, hashed
from lamina.media import classic, universal
from lamina.media.tarball import Arrangement
from lamina.oci.digest import chain_ids
from lamina.oci.reference import parse_reference
from tests.support.archives import digest, hexdigest, to_json

CREATED = "1970-01-01T00:00:01Z"
NAMES = ("app:1",)
TWO_NAMES = ("app:1", "localhost:5000/team/app:latest")


@attrs.frozen
class File:
    """A member of a layer, as tarfile takes it."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    pax: Mapping[str, str] = {}
    user: str = ""


ONE_HOLE = {f"GNU.sparse.{key}": value for key, value in (("size", "5"), ("numblocks", "1"), ("map", "5,0"))}
"""What makes a file a sparse one."""


def folder(name: str) -> File:
    return File(name, type=tarfile.DIRTYPE)


def link(name: str, target: str, **more: Any) -> File:
    return File(name, type=tarfile.SYMTYPE, link=target, **more)


def layer(*files: File, common: Mapping[str, str] | None = None) -> bytes:
    """A tar of the files; `common` goes into a global PAX header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=common) as archive:
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.type, info.linkname, info.size = file.type, file.link, len(file.data)
            info.pax_headers, info.uname = dict(file.pax), file.user
            archive.addfile(info, io.BytesIO(file.data))
    return buffer.getvalue()


BELOW = layer(folder("etc"), File("etc/below", b"b"))
ABOVE = layer(folder("etc"), File("etc/above", b"a"))


@attrs.define
class Archive:
    """An archive's members, to be changed; `position` finds one by its name."""

    members: list[tuple[tarfile.TarInfo, bytes]]

    def position(self, name: str) -> int:
        return [info.name for info, _ in self.members].index(name)

    def __contains__(self, name: str) -> bool:
        return any(info.name == name for info, _ in self.members)

    def data(self, name: str) -> bytes:
        return self.members[self.position(name)][1]

    def info(self, name: str) -> tarfile.TarInfo:
        return self.members[self.position(name)][0]

    def json(self, name: str) -> Any:
        return json.loads(self.data(name))

    def put(self, name: str, data: bytes | object) -> None:
        """Bytes, or a JSON value, in a file that may be there already."""
        content = data if isinstance(data, bytes) else to_json(data)
        if name in self:
            info = self.info(name)
            self.members[self.position(name)] = (info, content)
        else:
            self.add(name, content)

    def add(self, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = kind, target, 0o755 if kind == tarfile.DIRTYPE else 0o644
        self.members.append((info, data))

    def drop(self, name: str) -> None:
        del self.members[self.position(name)]

    def become_link(self, name: str, target: str) -> None:
        position = self.position(name)
        self.drop(name)
        self.add(name, kind=tarfile.SYMTYPE, target=target)
        self.members.insert(position, self.members.pop())

    @property
    def chain(self) -> list[str]:
        """The v1 IDs, bottom first."""
        [top] = {identity for tags in self.json("repositories").values() for identity in tags.values()}
        found = [top]
        while parent := self.json(f"{found[0]}/json").get("parent"):
            found.insert(0, parent)
        return found

    def edit_item(self, **changes: Any) -> None:
        """Change the one item of `manifest.json`."""
        self.put("manifest.json", [self.json("manifest.json")[0] | changes])

    def edit_manifest(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change the OCI manifest, and the index with it."""
        index = self.json("index.json")
        old = index["manifests"][0]["digest"]
        manifest = self.json(blob(old))
        edit(manifest)
        data = to_json(manifest)
        self.drop(blob(old))
        self.add(blob(digest(data)), data)
        for entry in index["manifests"]:
            entry.update(digest=digest(data), size=len(data))
        self.put("index.json", index)

    def edit_chain(self, edit: Callable[[int, dict[str, Any]], None], salt: str = "") -> None:
        """Change v1 documents, bottom first, and let the IDs follow."""
        config = self.json(self.json("manifest.json")[0]["Config"])
        parent = None
        for position, (old, chain_id) in enumerate(
            zip(self.chain, chain_ids(config["rootfs"]["diff_ids"]), strict=True)
        ):
            fields = self.json(f"{old}/json")
            del fields["id"]
            if parent:
                fields["parent"] = parent
            edit(position, fields)
            text = json.dumps(fields | {"layer_id": chain_id}, sort_keys=True, separators=(",", ":"))
            parent = hexdigest((text + salt).encode())
            self.put(f"{old}/json", fields | {"id": parent})
            for info, _ in self.members:
                info.name = info.name.replace(old, parent)
            self.put("repositories", json.loads(self.data("repositories").decode().replace(old, parent)))

    def write(self, path: Path) -> Path:
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for info, data in self.members:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path


def blob(name: str) -> str:
    return "blobs/" + name.replace(":", "/")


def archive(
    layers: Sequence[bytes] = (BELOW, ABOVE),
    names: Sequence[str] = NAMES,
    arrange: Arrangement = universal.arrange,
    history: Iterable[dict[str, Any]] | None = None,
    **config: Any,
) -> Archive:
    """What Lamina writes for an image of these layers."""
    image = Image(
        config={"architecture": "amd64", "os": "linux", "created": CREATED, "config": {"Cmd": ["/app"]}, **config},
        layers=tuple(hashed(Layer.of(Bytes(data), "a layer")) for data in layers),
        history=tuple(history or ({"created": CREATED} for _ in layers)),
        names=tuple(parse_reference(name, name) for name in names),
    )
    found = []
    for part in arrange([image]):
        info = tarfile.TarInfo(part.member.name.decode())
        info.type, info.linkname = part.member.kind, part.member.link.decode()
        info.mode, info.mtime = part.member.mode, part.member.mtime
        found.append((info, part.document if part.layer is None else layers[part.layer]))
    return Archive(found)


Edit = Callable[[Archive], None]


@attrs.frozen
class Case:
    """A good archive, and what is done to its members, then to its bytes."""

    good: Callable[[], Archive]
    edit: Edit
    raw: Callable[[bytes], bytes] = bytes


def doctored(edit: Edit, good: Callable[[], Archive] = archive) -> Case:
    return Case(good, edit)


def of_image(**changes: Any) -> Case:
    """An image of which another thing is true from the start: all documents agree."""

    def edit(it: Archive) -> None:
        it.members = archive(**changes).members

    return Case(archive, edit)


def with_layer(*files: File, common: Mapping[str, str] | None = None) -> Case:
    return of_image(layers=(BELOW, layer(*files, common=common)))


def two_names() -> Archive:
    return archive(names=TWO_NAMES)


def image_of_its_own() -> Archive:
    """containerd keeps what it read of a refused archive for a moment, and then compares no digest of it again."""
    return archive(author="somebody else")


def classic_repeating() -> Archive:
    return archive(layers=(BELOW, ABOVE, BELOW), arrange=classic.arrange)


def classic_archive() -> Archive:
    return archive(arrange=classic.arrange)


def rename_version(it: Archive) -> None:
    it.info(f"{it.chain[0]}/VERSION").name = f"./{it.chain[0]}/VERSION"


def repeat_directory(it: Archive) -> None:
    """Of anything else a second one of the name makes the archive unreadable."""
    it.members.append(it.members[it.position(it.chain[0])])


def give_records(**records: str) -> Edit:
    def edit(it: Archive) -> None:
        it.info(it.json("manifest.json")[0]["Config"]).pax_headers = dict(records)

    return edit


def record_the_size(it: Archive) -> None:
    config = it.json("manifest.json")[0]["Config"]
    it.info(config).pax_headers = {"size": str(len(it.data(config)))}


def without_sizes_behind_records(data: bytes) -> bytes:
    """A header after one of PAX says that the member is empty."""
    place = 0
    while data[place + 156 : place + 157] != b"x":
        size = int(data[place + 124 : place + 135], 8)
        place += 512 + size + -size % 512
    start = place + 1024
    block = data[start : start + 124] + b"0" * 11 + data[start + 135 : start + 148] + b" " * 8 + data[start + 156 :]
    block = block[:512]
    block = block[:148] + b"%06o\0 " % sum(block) + block[156:]
    return data[:start] + block + data[start + 512 :]


def link_through_a_link(it: Archive) -> None:
    top = it.chain[-1]
    it.add(f"{top}/real", kind=tarfile.SYMTYPE, target=it.info(f"{top}/layer.tar").linkname)
    it.become_link(f"{top}/layer.tar", "real")


def link_to_a_layer_tar(it: Archive) -> None:
    bottom, _, top = it.chain
    it.become_link(f"{top}/layer.tar", f"../{bottom}/layer.tar")


def store_a_layer_twice(it: Archive) -> None:
    path = f"{it.chain[0]}/layer.tar"
    it.drop(path)
    it.add(path, BELOW)


def two_items(it: Archive) -> None:
    it.put("manifest.json", it.json("manifest.json") * 2)


def name_links_as_layers(it: Archive) -> None:
    it.edit_item(Layers=[f"{identity}/layer.tar" for identity in it.chain])


def swap_layers(it: Archive) -> None:
    it.edit_item(Layers=it.json("manifest.json")[0]["Layers"][::-1])


def compress(*positions: int) -> Edit:
    """The blobs of some layers as gzip, in all documents."""

    def edit(it: Archive) -> None:
        layers = it.json("manifest.json")[0]["Layers"]
        for position in positions:
            old, data = layers[position], gzip.compress(it.data(layers[position]), mtime=0)
            new = layers[position] = blob(digest(data))
            it.drop(old)
            it.add(new, data)
            for info, _ in it.members:
                info.linkname = info.linkname.replace(old, new)

            def edit(manifest: dict[str, Any], position: int = position, data: bytes = data) -> None:
                entry = manifest["layers"][position]
                entry.update(digest=digest(data), size=len(data), mediaType=entry["mediaType"] + "+gzip")

            it.edit_manifest(edit)
        it.edit_item(Layers=layers)

    return edit


def wrong_digest(it: Archive) -> None:
    path = blob(it.json("index.json")["manifests"][0]["digest"])
    it.put(path, it.data(path).replace(b'"schemaVersion":2', b'"schemaVersion":3'))


def blob_becomes_link(it: Archive) -> None:
    path = blob(it.json("index.json")["manifests"][0]["digest"])
    it.add("manifest", it.data(path))
    it.become_link(path, "../../manifest")


def index_to_nowhere(it: Archive) -> None:
    index = it.json("index.json")
    index["manifests"].append({**index["manifests"][0], "digest": "sha256:" + "1" * 64, "annotations": {}})
    it.put("index.json", index)


def edit_index(edit: Callable[[dict[str, Any]], object]) -> Edit:
    def change(it: Archive) -> None:
        index = it.json("index.json")
        edit(index)
        it.put("index.json", index)

    return change


def wrong_size(it: Archive) -> None:
    it.edit_manifest(lambda manifest: manifest["layers"][0].update(size=1))


def config_of_another_type(it: Archive) -> None:
    it.edit_manifest(lambda manifest: manifest["config"].update(mediaType="application/octet-stream"))


def call_itself_an_index(it: Archive) -> None:
    it.edit_manifest(lambda manifest: manifest.update(mediaType="application/vnd.oci.image.index.v1+json"))


def other_config(it: Archive) -> None:
    config = it.json(it.json("manifest.json")[0]["Config"]) | {"author": "somebody else"}
    data = to_json(config)
    it.add(blob(digest(data)), data)
    it.edit_manifest(lambda manifest: manifest["config"].update(digest=digest(data), size=len(data)))


def whole_names_in_repositories(it: Archive) -> None:
    it.put("repositories", {f"docker.io/library/{name}": tags for name, tags in it.json("repositories").items()})


def an_unvisited_directory(it: Archive) -> None:
    other = "f" * 64
    it.add(other, kind=tarfile.DIRTYPE)
    for name in ("VERSION", "json"):
        it.add(f"{other}/{name}", it.data(f"{it.chain[0]}/{name}").replace(it.chain[0].encode(), other.encode()))
    it.add(f"{other}/layer.tar", kind=tarfile.SYMTYPE, target=it.info(f"{it.chain[0]}/layer.tar").linkname)


def no_time(position: int, fields: dict[str, Any]) -> None:
    fields["created"] = 5 if position == 0 else fields["created"]


def no_config(_: int, fields: dict[str, Any]) -> None:
    if "config" in fields:
        fields["config"] = None


def swap_legacy_layers(it: Archive) -> None:
    one, two = (it.info(f"{identity}/layer.tar") for identity in it.chain)
    one.linkname, two.linkname = two.linkname, one.linkname


def add_a_directory(it: Archive) -> None:
    it.add("notes", kind=tarfile.DIRTYPE)
    it.add("notes/one", b"1")


def unreadable(it: Archive) -> None:
    it.info(it.json("manifest.json")[0]["Config"]).mode = 0


def repositories_first(it: Archive) -> None:
    it.members.insert(0, it.members.pop(it.position("repositories")))


def a_layer_from_nowhere(it: Archive) -> None:
    it.edit_item(Layers=["nowhere", *it.json("manifest.json")[0]["Layers"][1:]])


def rename_reference(it: Archive) -> None:
    index = it.json("index.json")
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "other"
    it.put("index.json", index)


CASES: dict[str, Case] = {
    "outer-uncompressed": Case(archive, lambda it: None, gzip.compress),
    "outer-names": doctored(rename_version),
    "outer-unique": doctored(repeat_directory),
    "outer-directories": doctored(lambda it: it.drop(it.chain[0])),
    "outer-kinds": doctored(lambda it: it.add("pipe", kind=tarfile.FIFOTYPE)),
    "outer-headers": doctored(give_records(comment="x")),
    "links-in-one-step": doctored(link_through_a_link),
    "links-apart": doctored(link_to_a_layer_tar, classic_repeating),
    "layers-once": doctored(store_a_layer_twice),
    "docker-side": doctored(lambda it: it.drop("manifest.json")),
    "docker-one-image": doctored(two_items),
    "docker-no-sources": doctored(lambda it: it.edit_item(LayerSources={})),
    "layers-regular": doctored(name_links_as_layers),
    "layers-match": doctored(swap_layers),
    "layers-plain": doctored(compress(0, 1)),
    "layers-alike": doctored(compress(1)),
    "tags-whole": doctored(lambda it: it.edit_item(RepoTags=["docker.io/library/APP:1"])),
    "config-platform": of_image(architecture="vax"),
    "config-types": of_image(config={"Env": "A=1"}),
    "config-times": of_image(history=[{"created": "yesterday"}, {"created": CREATED}]),
    "config-history": of_image(history=[{"created": CREATED}] * 3),
    "oci-side": doctored(lambda it: it.drop("oci-layout")),
    "oci-version": doctored(lambda it: it.put("oci-layout", {"imageLayoutVersion": "2.0.0"})),
    "blobs-regular": doctored(blob_becomes_link),
    "blobs-digests": doctored(wrong_digest, image_of_its_own),
    "oci-complete": doctored(index_to_nowhere),
    "oci-descriptors": doctored(wrong_size),
    "oci-config-type": doctored(config_of_another_type),
    "oci-document-types": doctored(call_itself_an_index),
    "oci-same-image": doctored(other_config),
    "v1-side": doctored(lambda it: it.drop("repositories")),
    "v1-names": doctored(whole_names_in_repositories),
    "v1-chain": doctored(an_unvisited_directory),
    "v1-documents": doctored(lambda it: it.edit_chain(no_time)),
    "v1-config": doctored(lambda it: it.edit_chain(no_config)),
    "v1-layers": doctored(swap_legacy_layers),
    "v1-ids": doctored(lambda it: it.edit_chain(lambda *_: None, salt="x")),
    "v1-only": doctored(add_a_directory, classic_archive),
    "apptainer-unpacks": doctored(unreadable),
    "oras-sizes": Case(archive, record_the_size, without_sizes_behind_records),
    "dive-reads": doctored(lambda it: it.add("blobs/note")),
    "kind-names": doctored(repositories_first),
    "podman-names": doctored(lambda it: it.edit_item(RepoTags=list(TWO_NAMES)), two_names),
    "containerd-names": doctored(
        edit_index(lambda index: index["manifests"][0]["annotations"].pop("io.containerd.image.name")), two_names
    ),
    "index-tags": doctored(rename_reference),
    "members-found": doctored(a_layer_from_nowhere),
    "layer-names": with_layer(File("x" * 256)),
    "layer-unique": with_layer(File("file"), File("./file")),
    "layer-parents": with_layer(File("opt/file")),
    "layer-alone": with_layer(File("opt"), File("opt/file")),
    "layer-hard-links": with_layer(File("one", type=tarfile.LNKTYPE, link="etc/below")),
    "layer-whiteouts": with_layer(File("file"), File(".wh.file")),
    "layer-owners": with_layer(File("file", user="daemon")),
    "layer-global-headers": with_layer(File("file"), common={"comment": "x"}),
    "layer-link-attributes": with_layer(link("file", "etc", pax={"SCHILY.xattr.user.x": "y"})),
    "layer-kinds": with_layer(File("file", pax=ONE_HOLE)),
    "layer-under-links": of_image(layers=(layer(folder("usr"), link("bin", "usr")), layer(folder("bin")))),
    "layer-over-dangling": of_image(layers=(layer(link("file", "nowhere")), layer(File("file")))),
}
"""By the check that must notice."""
