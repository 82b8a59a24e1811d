"""What pullImage needs to know of an image in a registry: the digest of its manifest, and the hash of Skopeo's archive.

Everything goes through Skopeo, with its configuration and credentials, as pullImage does later.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs

from lamina.errors import BadInput, LaminaError
from lamina.oci.digest import Digest, parse_digest, sha256
from lamina.oci.documents import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from lamina.oci.platform import for_platform
from lamina.oci.reference import parse_reference
from lamina.oci.strict_json import Json, expect, parse_json

_WHERE = "skopeo"


@attrs.frozen
class Wanted:
    """An image in a registry: `digest`, of a manifest or of an index, counts more than `tag`; os and arch are Go's."""

    name: str
    tag: str = "latest"
    digest: str | None = None
    os: str = "linux"
    arch: str = "amd64"
    final_name: str | None = None
    final_tag: str | None = None
    tls_verify: bool = True

    @classmethod
    def parse(cls, text: str, *more: str | None) -> Wanted:
        """`NAME`, `NAME:TAG`, `NAME@DIGEST`, `NAME:TAG@DIGEST`; `more` are tags and digests apart. Raises BadInput."""
        name, _, digest = text.partition("@")
        tag = "latest"
        if ":" in name.rpartition("/")[2]:
            name, _, tag = name.rpartition(":")
        for word in filter(None, more):
            if ":" in word:
                digest = word
            else:
                tag = word
        parse_reference(f"{name}:{tag}", text)
        return cls(name, tag, parse_digest(digest, text) if digest else None)


@attrs.frozen
class Found:
    """The arguments for pullImage; `path` is where the archive lies in the store, when it could be put there."""

    arguments: Json
    path: str | None


def prefetch(wanted: Wanted, tell: Callable[[str, str], None] = lambda *_: None) -> Found:
    """Find the image and pull it once; `tell` gets each thing that is known, as it becomes known.

    Raises BadInput: no such image, or none for that platform. LaminaError: no Skopeo, or it failed.
    """
    final_name, final_tag = wanted.final_name or wanted.name, wanted.final_tag or wanted.tag
    tell("ImageName", wanted.name)
    digest = _manifest_digest(wanted)
    tell("ImageDigest", digest)
    tell("FinalImageName", final_name)
    tell("FinalImageTag", final_tag)
    with tempfile.TemporaryDirectory(prefix="lamina-") as directory:
        # As pullImage calls it by default, so that what is put into the store is what it makes.
        flat = final_name.replace("/", "-").replace(":", "-")
        archive = Path(directory, f"docker-image-{flat}-{final_tag}.tar")
        platform = [f"--override-os={wanted.os}", f"--override-arch={wanted.arch}"]
        source, target = f"docker://{wanted.name}@{digest}", f"docker-archive:{archive}:{final_name}:{final_tag}"
        _skopeo(*platform, f"--tmpdir={directory}", "copy", f"--src-tls-verify={_flag(wanted)}", source, target)
        with archive.open("rb") as file:
            sri = "sha256-" + base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
        path = _add_to_store(archive)
    if path:
        tell("ImagePath", path)
    tell("ImageHash", sri)
    arguments: Json = {
        "imageName": wanted.name,
        "imageDigest": digest,
        "hash": sri,
        "finalImageName": final_name,
        "finalImageTag": final_tag,
    }
    return Found(arguments if wanted.tls_verify else {**arguments, "tlsVerify": False}, path)


def _manifest_digest(wanted: Wanted) -> Digest:
    """The digest of the manifest itself: of an index, of the one for the platform."""
    reference = f"@{wanted.digest}" if wanted.digest else f":{wanted.tag}"
    name = f"{wanted.name}{reference}"
    raw = _skopeo("inspect", "--raw", f"--tls-verify={_flag(wanted)}", f"docker://{name}")
    document = expect(parse_json(raw, name), dict, "the manifest", name)
    if "manifests" not in document:
        if document.get("mediaType", OCI_MANIFEST) not in (OCI_MANIFEST, DOCKER_MANIFEST) or "config" not in document:
            remedy = "push it again with a tool of this decade"
            raise BadInput(name, f"a manifest of type {document.get('mediaType')!r:.80}", remedy)
        return sha256(raw)
    if document.get("mediaType", OCI_INDEX) not in (OCI_INDEX, DOCKER_INDEX):
        raise BadInput(name, f"an index of type {document.get('mediaType')!r:.80}", "give an image")
    there = [Descriptor.from_json(item, name) for item in expect(document["manifests"], list, "manifests", name)]
    return for_platform(there, wanted.os, wanted.arch, name).digest


def _flag(wanted: Wanted) -> str:
    return "true" if wanted.tls_verify else "false"


def _skopeo(*words: str) -> bytes:
    """What it prints. Raises LaminaError with its last line when it fails."""
    try:
        done = subprocess.run(
            ["skopeo", "--insecure-policy", *words], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError:
        raise LaminaError(_WHERE, "no such program", "install it, or: nix shell nixpkgs#skopeo") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        remedy = "check the name, the network and the credentials (skopeo login)"
        raise LaminaError(_WHERE, said[-1], remedy)
    return done.stdout


def _add_to_store(archive: Path) -> str | None:
    """Spare pullImage the second download, where there is a store to spare it for."""
    if not shutil.which("nix-store"):
        return None
    words = ["nix-store", "--add-fixed", "sha256", str(archive)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def nix_text(arguments: Json) -> str:
    """The arguments as a Nix attribute set."""
    lines = [f"  {key} = {_nix(value)};" for key, value in arguments.items()]
    return "\n".join(["{", *lines, "}"])


def _nix(value: str | bool) -> str:
    return json.dumps(value, ensure_ascii=False).replace("${", "\\${")
