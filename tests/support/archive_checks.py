"""What an archive must be for every consumer, as far as the file alone can show.

Each check reads the archive with the standard library, and none of the builder's code.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
IDENTITY = re.compile(r"[a-f0-9]{64}")


def hexdigest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@attrs.frozen(eq=False)
class Opened:
    """An archive's members in order, with their bytes."""

    raw: bytes
    infos: list[tarfile.TarInfo]
    data: dict[str, bytes]

    @classmethod
    def at(cls, path: Path) -> Opened:
        raw = path.read_bytes()
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            infos = archive.getmembers()
            data = {info.name: raw[info.offset_data : info.offset_data + info.size] for info in infos if info.isreg()}
        return cls(raw, infos, data)

    @property
    def names(self) -> list[str]:
        return [info.name for info in self.infos]

    @property
    def links(self) -> dict[str, str]:
        """Where each symbolic link leads."""
        return {
            info.name: posixpath.normpath(posixpath.join(posixpath.dirname(info.name), info.linkname))
            for info in self.infos
            if info.issym()
        }

    def json(self, name: str) -> Any:
        return json.loads(self.data[name])

    @property
    def listing(self) -> dict[str, Any]:
        item: dict[str, Any] = self.json("manifest.json")[0]
        return item

    @property
    def layers(self) -> list[bytes]:
        return [self.data[name] for name in self.listing["Layers"]]

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.json(self.listing["Config"])
        return config

    @property
    def diff_ids(self) -> list[str]:
        ids: list[str] = self.config["rootfs"]["diff_ids"]
        return ids

    @property
    def chain(self) -> list[dict[str, Any]]:
        """The v1 JSON of each layer, top first, as a reader of `repositories` finds it."""
        tops = {top for tags in self.json("repositories").values() for top in tags.values()}
        if not tops:
            # Without a name nothing says which is the top: it is the one that is nobody's parent.
            every = {name.partition("/")[0] for name in self.names if IDENTITY.fullmatch(name.partition("/")[0])}
            tops = every - {self.json(f"{identity}/json").get("parent") for identity in every}
        assert len(tops) == 1
        chain: list[dict[str, Any]] = []
        identity: str | None = tops.pop()
        while identity:
            assert len(chain) < 200, "the chain of parents goes round"
            chain.append(self.json(f"{identity}/json"))
            identity = chain[-1].get("parent")
        return chain


def qualified(name: str) -> str:
    """`redis:1` as containerd and podman store it; written anew here, so that it can disagree."""
    first = name.split("/")[0]
    if "/" in name and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"


def names_lead_nowhere(it: Opened) -> None:
    for name in it.names:
        assert not name.startswith(("/", "./")) and ".." not in name.split("/")
    assert len({posixpath.normpath(name) for name in it.names}) == len(it.names), "no duplicates"


def directories_come_before_what_lies_in_them(it: Opened) -> None:
    seen = set()
    for info in it.infos:
        parent = posixpath.dirname(info.name)
        assert not parent or parent in seen, f"{info.name} comes before its directory"
        if info.isdir():
            seen.add(info.name)


def documents_are_files_in_order(it: Opened) -> None:
    for name in ("manifest.json", "repositories"):
        assert name in it.data
    assert it.names.index("manifest.json") < it.names.index("repositories")


def headers_are_plain(it: Opened) -> None:
    position = 0
    for info in it.infos:
        assert info.offset == position, "no header of PAX or GNU tar stands before the member"
        assert info.type in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE)
        assert len(info.name) < 100 and len(info.linkname) <= 100
        assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "", "", 1)
        assert info.mode == {tarfile.REGTYPE: 0o644, tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777}[info.type]
        padded = -(-info.size // 512) * 512
        assert not any(it.raw[info.offset_data + info.size : info.offset_data + padded]), "padding is zeros"
        position = info.offset_data + padded
    assert it.raw[position:] == bytes(1024), "two blocks of zeros end the archive"


def there_is_one_image(it: Opened) -> None:
    items = it.json("manifest.json")
    assert len(items) == 1
    assert set(items[0]) == {"Config", "RepoTags", "Layers"}


def config_and_layers_are_files(it: Opened) -> None:
    for name in (it.listing["Config"], *it.listing["Layers"]):
        assert name in it.data, f"{name} is no regular member"


def layers_have_their_diff_ids(it: Opened) -> None:
    assert ["sha256:" + hexdigest(layer) for layer in it.layers] == it.diff_ids


def links_lead_to_files_in_one_step(it: Opened) -> None:
    for name, target in it.links.items():
        assert target in it.data, f"{name} leads to {target}"
        assert posixpath.basename(target) != "layer.tar", "Mesos deletes that file after extraction"


def names_are_whole_and_agree(it: Opened) -> None:
    tags = it.listing["RepoTags"]
    assert isinstance(tags, list)
    assert all(re.fullmatch(r"[^/:]+(:[0-9]+)?/[a-z0-9._/-]+:[\w.-]+", tag) for tag in tags)
    listed = {f"{name}:{tag}" for name, inner in it.json("repositories").items() for tag in inner}
    assert set(tags) == set(map(qualified, listed))


def the_config_is_one_that_readers_take(it: Opened) -> None:
    config = it.config
    assert config["os"] == "linux" and config["architecture"] in ("amd64", "arm64")
    assert CREATED.fullmatch(config["created"])
    assert isinstance(config["config"], dict)
    for key in ("Cmd", "Entrypoint", "Env"):
        assert isinstance(config["config"].get(key, []), list)


def history_tells_of_each_layer(it: Opened) -> None:
    history = it.config["history"]
    assert sum(not entry.get("empty_layer") for entry in history) == len(it.layers)
    assert all(CREATED.fullmatch(entry["created"]) for entry in history)


def repositories_name_whole_v1_images(it: Opened) -> None:
    for tags in it.json("repositories").values():
        for top in tags.values():
            assert IDENTITY.fullmatch(top)
            assert {f"{top}/json", f"{top}/VERSION", f"{top}/layer.tar"} <= set(it.names)


def parents_go_from_the_top_to_the_bottom(it: Opened) -> None:
    chain = it.chain
    assert len(chain) == len(it.layers)
    assert "parent" not in chain[-1]
    directories = {name for name in it.names if IDENTITY.fullmatch(name)}
    assert {fields["id"] for fields in chain} == directories, "every v1 directory is visited"
    assert len(directories) == len(chain)


def v1_documents_are_whole(it: Opened) -> None:
    for fields in it.chain:
        identity = fields["id"]
        assert IDENTITY.fullmatch(identity) and it.json(f"{identity}/json") == fields
        assert it.data[f"{identity}/VERSION"] == b"1.0"
        assert CREATED.fullmatch(fields["created"]) and fields["container_config"] == {} and fields["os"] == "linux"
    for fields, layer in zip(reversed(it.chain), it.layers, strict=True):
        path = f"{fields['id']}/layer.tar"
        assert it.data[it.links.get(path, path)] == layer


def the_top_v1_document_has_the_config(it: Opened) -> None:
    top = it.chain[0]
    assert top["config"] == it.config["config"]
    assert (top["os"], top["architecture"]) == (it.config["os"], it.config["architecture"])


def v1_identities_come_from_content(it: Opened) -> None:
    chain_id, parent = "", None
    for fields, diff_id in zip(reversed(it.chain), it.diff_ids, strict=True):
        chain_id = "sha256:" + hexdigest(f"{chain_id} {diff_id}".encode()) if chain_id else diff_id
        document = {key: value for key, value in fields.items() if key != "id"} | {"layer_id": chain_id}
        assert document.get("parent") == parent
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        parent = hexdigest(text.encode())
        assert fields["id"] == parent


def documents_are_canonical(it: Opened) -> None:
    for name, data in it.data.items():
        if name.endswith("json") or name in ("repositories", "oci-layout"):
            text = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert data == text.encode()


# Of the universal layout alone.


def both_kinds_of_documents_come_first(it: Opened) -> None:
    assert it.names[:4] == ["oci-layout", "index.json", "manifest.json", "repositories"]


def blobs_are_files_of_their_digests(it: Opened) -> None:
    blobs = [info for info in it.infos if info.name.startswith("blobs/sha256/")]
    for info in blobs:
        assert info.isreg() and info.size > 0
        assert hexdigest(it.data[info.name]) == info.name.removeprefix("blobs/sha256/")


def each_layer_is_stored_once(it: Opened) -> None:
    distinct = {hexdigest(layer): len(layer) for layer in it.layers}
    others = {it.listing["Config"], "blobs/sha256/" + it.json("index.json")["manifests"][0]["digest"][7:]}
    stored = [name for name in it.data if name.startswith("blobs/") and name not in others]
    assert sum(len(it.data[name]) for name in stored) == sum(distinct.values())
    large = sum(len(data) for name, data in it.data.items() if name.endswith("layer.tar"))
    assert large == 0


def the_layout_is_one_that_readers_know(it: Opened) -> None:
    assert it.json("oci-layout") == {"imageLayoutVersion": "1.0.0"}
    index = it.json("index.json")
    assert (index["schemaVersion"], index["mediaType"]) == (2, "application/vnd.oci.image.index.v1+json")
    for entry in index["manifests"]:
        manifest = it.data["blobs/sha256/" + entry["digest"][7:]]
        assert ("sha256:" + hexdigest(manifest), len(manifest)) == (entry["digest"], entry["size"])
        assert entry["platform"]["architecture"] == it.config["architecture"]


def the_manifest_tells_the_same_image(it: Opened) -> None:
    manifest = it.json("blobs/sha256/" + it.json("index.json")["manifests"][0]["digest"][7:])
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, "application/vnd.oci.image.manifest.v1+json")
    assert "blobs/sha256/" + manifest["config"]["digest"][7:] == it.listing["Config"]
    assert manifest["config"]["size"] == len(it.data[it.listing["Config"]])
    assert manifest["layers"] == [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": diff_id, "size": len(layer)}
        for diff_id, layer in zip(it.diff_ids, it.layers, strict=True)
    ]


def each_name_has_an_entry(it: Opened) -> None:
    entries = it.json("index.json")["manifests"]
    names = [entry.get("annotations", {}).get("io.containerd.image.name") for entry in entries]
    assert names == (it.listing["RepoTags"] or [None])
    for entry, name in zip(entries, names, strict=True):
        tag = name and name.rpartition(":")[2]
        assert entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag
    assert len({entry["digest"] for entry in entries}) == 1


def headers_stand_right_before_the_data(it: Opened) -> None:
    """oras-go reads the header at the offset of the data less 512."""
    for info in it.infos:
        if info.isreg():
            block = it.raw[info.offset_data - 512 : info.offset_data]
            assert block[257:263] == b"ustar\0" and tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == info.size


# Of the classic layout alone.


def the_v1_directories_hold_the_layers(it: Opened) -> None:
    identities = [fields["id"] for fields in reversed(it.chain)]
    assert it.listing["Layers"] == [f"{identity}/layer.tar" for identity in identities]
    assert not it.links and not any(name.startswith("blobs") for name in it.names)
    assert it.listing["Config"] == hexdigest(it.data[it.listing["Config"]]) + ".json"


# Of each layer of our own.


def layers_are_lawful(it: Opened) -> None:
    for layer in it.layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            infos = archive.getmembers()
            assert not archive.pax_headers, "no global header"
        names = [info.name for info in infos]
        assert len(set(names)) == len(names)
        for place, info in enumerate(infos):
            parent = posixpath.dirname(info.name)
            assert not parent or parent in names[:place], f"{info.name} comes before its directory"
            assert not posixpath.basename(info.name).startswith(".wh.")
            assert (info.uname, info.gname) == ("", "")
            assert info.type in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE), "no hard links"
            assert not any(key.startswith("SCHILY.") for key in info.pax_headers)


Check = Callable[[Opened], None]

EVERY: tuple[Check, ...] = (
    names_lead_nowhere,
    directories_come_before_what_lies_in_them,
    documents_are_files_in_order,
    headers_are_plain,
    there_is_one_image,
    config_and_layers_are_files,
    layers_have_their_diff_ids,
    links_lead_to_files_in_one_step,
    names_are_whole_and_agree,
    the_config_is_one_that_readers_take,
    history_tells_of_each_layer,
    repositories_name_whole_v1_images,
    parents_go_from_the_top_to_the_bottom,
    v1_documents_are_whole,
    the_top_v1_document_has_the_config,
    v1_identities_come_from_content,
    documents_are_canonical,
)
UNIVERSAL: tuple[Check, ...] = (
    both_kinds_of_documents_come_first,
    blobs_are_files_of_their_digests,
    each_layer_is_stored_once,
    the_layout_is_one_that_readers_know,
    the_manifest_tells_the_same_image,
    each_name_has_an_entry,
    headers_stand_right_before_the_data,
)
CLASSIC: tuple[Check, ...] = (the_v1_directories_hold_the_layers,)
