"""What there is to see in an image: by Nix' and Docker's own words, and in its archive."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.support.builds import ROOT, nix
from tests.support.consumers.skopeo import opened_tar


@frozen
class Image:
    """The fields of `docker image inspect` that the tests look at."""

    created: str
    architecture: str
    diff_ids: tuple[str, ...]
    environment: tuple[str, ...]

    @classmethod
    def of(cls, inspected: str) -> Image:
        [fields] = json.loads(inspected)
        return cls(
            fields["Created"],
            fields["Architecture"],
            tuple(fields["RootFS"]["Layers"]),
            tuple(fields["Config"]["Env"] or ()),
        )


def evaluated(path: str) -> str:
    """What an attribute of default.nix is worth, a text."""
    parsed: str = json.loads(nix("nix-instantiate", "--eval", "--json", ROOT, "-A", path).stdout)
    return parsed


def attribute(path: str) -> str:
    """What an attribute of an example is worth."""
    return evaluated(f"examples.dockerTools.{path}")


def config(archive: Path) -> dict[str, Any]:
    """The config that an archive's manifest.json names."""
    with opened_tar(archive) as members:
        parsed: dict[str, Any] = json.load(stream(members, first(members)["Config"]))
        return parsed


def paths(archive: Path) -> list[str]:
    """Every name in every layer of the archive's image, without a slash at the beginning."""
    with opened_tar(archive) as members:
        found = []
        for layer in first(members)["Layers"]:
            with tarfile.open(fileobj=stream(members, layer)) as files:
                found += [member.name.lstrip("./") for member in files]
        return found


def first(members: tarfile.TarFile) -> dict[str, Any]:
    manifest: list[dict[str, Any]] = json.load(stream(members, "manifest.json"))
    return manifest[0]


def stream(members: tarfile.TarFile, name: str) -> Any:
    found = members.extractfile(name)
    assert found, name
    return found
