"""The arguments of pullImage for an image in a registry: the digest of its manifest, and the hash of Skopeo's archive.

Skopeo does all requests, with its configuration and credentials, as it does later for pullImage.
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

from lamina.errors import BadInput
from lamina.media.registry.skopeo import Skopeo
from lamina.oci.digest import Digest, parse_digest, sha256
from lamina.oci.documents import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from lamina.oci.platform import for_platform
from lamina.oci.reference import make_reference, parse_reference
from lamina.oci.strict_json import Json, expect, parse_json
from lamina.store.closure import split_store_path

_TIMEOUT = 300
"""Seconds for a manifest. Pulling has no time limit."""


@attrs.frozen
class Request:
    """An image in a registry. `digest`, of a manifest or an index, replaces `tag`; `os` and `arch` are Go's names."""

    name: str
    tag: str = "latest"
    digest: str | None = None
    os: str = "linux"
    arch: str = "amd64"
    final_name: str | None = None
    final_tag: str | None = None
    tls_verify: bool = True

    @classmethod
    def parse(cls, text: str, *more: str | None) -> Request:
        """The request `NAME`, `NAME:TAG`, `NAME@DIGEST` or `NAME:TAG@DIGEST`; `more` are separate tags and digests.

        Raises BadInput: not a name, a tag or a digest.
        """
        name, _, digest = text.partition("@")
        tag = "latest"
        if ":" in name.rpartition("/")[2]:
            name, _, tag = name.rpartition(":")
        for word in filter(None, more):
            if ":" in word:
                digest = word
            else:
                tag = word
        where = text or "the image"
        parse_reference(f"{name}:{tag}", where)
        return cls(name, tag, parse_digest(digest, where) if digest else None)


@attrs.frozen
class Prefetched:
    """The arguments for pullImage, and the archive's path in the store, if it could be added to one."""

    arguments: Json
    path: str | None


def prefetch(request: Request, report: Callable[[str, str], None] = lambda *_: None) -> Prefetched:
    """Find the image and pull it once. `report` gets the name and the value of each result as soon as it is known.

    Raises BadInput: there is no such image, or none for this platform; LaminaError: Skopeo is missing, or it failed.
    """
    final_name, final_tag = request.final_name or request.name, request.final_tag or request.tag
    make_reference(final_name, final_tag, "the final name and tag")
    report("ImageName", request.name)
    digest = _manifest_digest(request)
    report("ImageDigest", digest)
    report("FinalImageName", final_name)
    report("FinalImageTag", final_tag)
    with tempfile.TemporaryDirectory(prefix="lamina-") as directory:
        # The name that pullImage uses by default, so that the path in the store is the one that pullImage makes.
        flat = final_name.replace("/", "-").replace(":", "-")
        archive = Path(directory, f"docker-image-{flat}-{final_tag}.tar")
        platform = [f"--override-os={request.os}", f"--override-arch={request.arch}"]
        source, target = f"docker://{request.name}@{digest}", f"docker-archive:{archive}:{final_name}:{final_tag}"
        copy = ("copy", f"--src-tls-verify={_flag(request)}", source, target)
        Skopeo(*platform, f"--tmpdir={directory}", *copy, subject=f"{request.name}@{digest}").result()
        with archive.open("rb") as file:
            sri = "sha256-" + base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
        path = _add_to_store(archive)
    if path:
        report("ImagePath", path)
    report("ImageHash", sri)
    arguments: Json = {
        "imageName": request.name,
        "imageDigest": digest,
        "hash": sri,
        "finalImageName": final_name,
        "finalImageTag": final_tag,
    }
    return Prefetched(arguments if request.tls_verify else {**arguments, "tlsVerify": False}, path)


def _manifest_digest(request: Request) -> Digest:
    """The digest of the manifest; in an index, of the manifest for the platform."""
    reference = f"@{request.digest}" if request.digest else f":{request.tag}"
    name = f"{request.name}{reference}"
    words = ("inspect", "--raw", f"--tls-verify={_flag(request)}", f"docker://{name}")
    raw = Skopeo(*words, subject=name).result(_TIMEOUT)
    if request.digest and sha256(raw) != request.digest:
        raise BadInput(name, f"the registry's manifest has the digest {sha256(raw)}", "use another registry")
    document = expect(parse_json(raw, name), dict, "the manifest", name)
    if "manifests" not in document:
        if document.get("mediaType", OCI_MANIFEST) not in (OCI_MANIFEST, DOCKER_MANIFEST) or "config" not in document:
            remedy = "it may be schema 1: push the image again with a current tool"
            raise BadInput(name, f"a manifest of type {document.get('mediaType')!r:.80}", remedy)
        return sha256(raw)
    if document.get("mediaType", OCI_INDEX) not in (OCI_INDEX, DOCKER_INDEX):
        raise BadInput(name, f"an index of type {document.get('mediaType')!r:.80}", "give an image")
    manifests = [Descriptor.from_json(item, name) for item in expect(document["manifests"], list, "manifests", name)]
    return for_platform(manifests, request.os, request.arch, name).digest


def pull_layout(reference: str, directory: Path, *, platform: str | None = None, tls_verify: bool = True) -> Path:
    """Copy the image `docker://...` into a new OCI layout below the directory, its layers as the registry has them.

    `platform` is `ARCH` or `OS/ARCH` in Go's words, of which the architecture is used; default: this machine's. Raises
    BadInput: not a name; LaminaError: Skopeo is missing, or it failed.
    """
    name = reference.removeprefix("docker://")
    Request.parse(name)
    target = directory / "image"
    chosen = [f"--override-arch={platform.rpartition('/')[2]}"] if platform else []
    verify = "true" if tls_verify else "false"
    copy = ("copy", "--dest-oci-accept-uncompressed-layers", f"--src-tls-verify={verify}")
    words = ("--override-os=linux", *chosen, f"--tmpdir={directory}", *copy)
    Skopeo(*words, f"docker://{name}", f"oci:{target}:{name}", subject=reference).result()
    return target


def _flag(request: Request) -> str:
    return "true" if request.tls_verify else "false"


def _add_to_store(archive: Path) -> str | None:
    """Add the archive to the Nix store, if there is one, so that pullImage need not download it again."""
    if not shutil.which("nix-store"):
        return None
    words = ["nix-store", "--add-fixed", "sha256", str(archive)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    path = done.stdout.strip()
    split_store_path(path, "nix-store")
    return path


def nix_text(arguments: Json) -> str:
    """The arguments as a Nix attribute set."""
    lines = [f"  {key} = {_nix(value)};" for key, value in arguments.items()]
    return "\n".join(["{", *lines, "}"])


def _nix(value: str | bool) -> str:
    return json.dumps(value, ensure_ascii=False).replace("${", "\\${")
