"""Our examples, built with the dockerTools of another nixpkgs and with ours: what is in the images is the same.

`LAMINA_OTHER_NIXPKGS` is a checkout of such a set, for example of ekala-project/corepkgs. It must evaluate without a
network: if its `pins.nix` fetches a library, write that library's path there. The programs are the distribution's
(other-set.nix): nix/host, with the few more that dockerTools needs: `python -m tests.nixpkgs.other_set` downloads them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.nixpkgs.conftest import EXAMPLES
from tests.nixpkgs.contents import Contents, File, contents
from tests.nixpkgs.other_set import HOST, prepared
from tests.support.builds import ROOT, nix_builds

VARIABLE = "LAMINA_OTHER_NIXPKGS"
PAGE = ROOT / "docs/use/from-dockertools.md"

VM = "runs in a virtual machine, which is not in the set"
REGISTRY = "pulls from a registry"
COREUTILS = "needs a coreutils with `cp --update=none`"
OURS = "uses an attribute that is ours for layered images, or made of one"
CANNOT = {
    **dict.fromkeys(["exportBash", "redis", "runAsRootExtraCommands", "runAsRootParentImage", "layersUnpackOrder"], VM),
    **dict.fromkeys(["mergeVaryingCompressor", "mergedBashAndRedis", "mergedBashNoTagAndRedis"], VM),
    **dict.fromkeys(["nixFromDockerHub", "onTopOfPulledImage", "testNixFromDockerHub"], REGISTRY),
    **dict.fromkeys(["helloOnRootNoStore", "helloOnRootNoStoreFakechroot", "nginxStream"], OURS),
    **{name: "the set has no fakeNss, or no mkShell" for name in EXAMPLES if name.startswith("nix-shell-")},
    "mergedBashFakeRoot": COREUTILS,
}
"""Examples that the set cannot build here, with the reason."""

COMPARED = (
    "another-layered-image",
    "bash",
    "bashLayeredUncompressed",
    "bashLayeredWithUser",
    "bashLayeredZstdCompressed",
    "bashNoTag",
    "bashNoTagLayered",
    "bashNoTagStreamLayered",
    "bashUncompressed",
    "bashZstdCompressed",
    "build-image-with-architecture",
    "build-image-with-path",
    "bulk-layer",
    "cross",
    "editors",
    "environmentVariables",
    "environmentVariablesLayered",
    "environmentVariablesParent",
    "etc",
    "layeredStoreSymlink",
    "layersOrder",
    "nginx",
    "nix",
    "nix-layered",
)
"""Examples of each function, with what makes them differ. The others that can be built repeat these."""


@attrs.frozen
class Allowed:
    """A line of `differences` that a sentence of docs/use/from-dockertools.md announces."""

    pattern: str
    sentence: str


ALLOWED = (
    Allowed(
        r"names: docker\.io/library/(\S+):(\S+) \1:\2", "`docker.io/library/NAME`, because the archive has whole names"
    ),
    Allowed(
        r"names: docker\.io/library/(\S+):[a-z0-9]{32} \1:[a-z0-9]{32}", "A hash, as in dockerTools, but of the recipe"
    ),
    Allowed(r"created: (\S+)Z \1\+00:00", "Other times end in `Z`, not in `+00:00`"),
    Allowed(r"created: .*", "The time at which the recipe is built"),
    Allowed(r"preferLocalBuild: None True", "`preferLocalBuild` and an empty `Env`, which are there by accident"),
    Allowed(r"config\.Env: None \[\]", "`preferLocalBuild` and an empty `Env`, which are there by accident"),
    Allowed(r"config\.Env: .*", "Each variable occurs once, with its last value"),
    Allowed(r"mtime: 1 315532800", "Second 1 of 1970, or `mtime`; dockerTools: 1980"),
    Allowed(r"mode of a directory: 755 555", "Mode 0755 for directories"),
    Allowed(r"mode of the root directory: 755 775", "Mode 0755, where buildImage of dockerTools has 0775 by accident"),
    Allowed(r"(only .*|data|mtime): nix/var/nix/.*|only theirs: nix/store/\.links.*", "It lists all, as"),
)


def differences(ours: Contents, theirs: Contents) -> Iterator[str]:
    """Each difference as a line: what differs, ours and theirs."""
    if ours.names != theirs.names:
        yield f"names: {' '.join(ours.names)} {' '.join(theirs.names)}"
    mine, other = _fields(ours), _fields(theirs)
    yield from (
        f"{key}: {mine.get(key)} {other.get(key)}"
        for key in sorted(mine.keys() | other.keys())
        if mine.get(key) != other.get(key)
    )
    for path in sorted(ours.files.keys() | theirs.files.keys()):
        if path not in ours.files or path not in theirs.files:
            yield f"only {'ours' if path in ours.files else 'theirs'}: {path}"
        else:
            yield from _file_differences(path, ours.files[path], theirs.files[path])


def _fields(image: Contents) -> dict[str, Any]:
    """The config document, without its list of layers."""
    own = {key: value for key, value in image.config.items() if key not in ("rootfs", "history", "config")}
    return {**own, **{f"config.{key}": value for key, value in image.config["config"].items()}}


def _file_differences(path: str, ours: File, theirs: File) -> Iterator[str]:
    for field in ("kind", "owner", "link", "data"):
        mine, other = getattr(ours, field), getattr(theirs, field)
        if mine != other:
            yield f"{field}: {path}" if field == "data" else f"{field}: {path} {mine} {other}"
    if ours.mode != theirs.mode:
        place = "the root directory" if path == "." else "a directory" if ours.kind == "5" else path
        yield f"mode of {place}: {ours.mode:o} {theirs.mode:o}"
    if ours.mtime != theirs.mtime:
        yield (
            f"mtime: {ours.mtime} {theirs.mtime}" if (ours.mtime, theirs.mtime) == (1, 315532800) else f"mtime: {path}"
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Each example, built with our dockerTools and with the set's."""
    nixpkgs = os.environ.get(VARIABLE)
    if not nixpkgs:
        pytest.skip(f"no other nixpkgs: {VARIABLE} is not set")
    expression = tmp_path_factory.mktemp("other-set") / "default.nix"
    if not prepared():
        pytest.skip("its programs are not there: python -m tests.nixpkgs.other_set")
    expression.write_text(EXPRESSION.format(root=ROOT, nixpkgs=nixpkgs, host=HOST))
    results = [
        nix_builds(expression, *(word for name in COMPARED for word in ("-A", f"{which}.{name}")))
        for which in ("ours", "theirs")
    ]
    return {name: pair for name, *pair in zip(COMPARED, *results, strict=True)}  # type: ignore[misc]


EXPRESSION = """\
let
  pkgs = import {root}/tests/nixpkgs/other-set.nix {{
    nixpkgs = {nixpkgs};
    host = {host};
    inherit (import {root} {{ }}) lamina;
  }};
  examples = dockerTools: import {root}/examples/dockerTools {{ inherit pkgs dockerTools; pulled = {{ }}; }};
in
{{
  ours = examples (import {root} {{ inherit pkgs; }}).dockerTools;
  theirs = examples pkgs.dockerTools;
}}
"""


@pytest.mark.thorough
@pytest.mark.parametrize("example", COMPARED)
def test_the_same_image(example: str, built: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    images = []
    for number, archive in enumerate(built[example]):
        directory = tmp_path / str(number)
        directory.mkdir()
        images.append(contents(archive, directory))
    assert images[0].files.keys() and not_allowed(differences(*images)) == []


def not_allowed(lines: Iterator[str]) -> list[str]:
    """Those that no sentence announces."""
    return [line for line in lines if not any(re.fullmatch(each.pattern, line) for each in ALLOWED)]


def test_allowed_differences_are_announced() -> None:
    page = " ".join(PAGE.read_text().split())
    assert [each.sentence for each in ALLOWED if each.sentence not in page] == []


def test_a_difference_that_is_not_announced_is_found() -> None:
    file = File("0", 0o444, (0, 0), 1, "", "x")
    image = Contents(("a:1",), {"created": "1970-01-01T00:00:01Z", "config": {}}, {"f": file, ".": file})
    for change in ({"owner": (1, 0)}, {"mode": 0o755}, {"mtime": 2}, {"data": "y"}, {"kind": "2"}, {"link": "g"}):
        other = attrs.evolve(image, files={**image.files, "f": attrs.evolve(file, **change)})
        assert len(not_allowed(differences(image, other))) == 1, change
    assert not_allowed(differences(image, attrs.evolve(image, files={"f": file}))) == ["only ours: ."]
    assert not_allowed(differences(image, attrs.evolve(image, names=("b:1",)))) == ["names: a:1 b:1"]
    assert not_allowed(differences(image, attrs.evolve(image, config={**image.config, "os": "x"}))) == ["os: None x"]


def test_the_examples_exist() -> None:
    assert CANNOT.keys() | set(COMPARED) <= set(EXAMPLES) and CANNOT.keys().isdisjoint(COMPARED)
