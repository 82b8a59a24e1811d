"""What dockerTools' users complained of, one test each; docs/use/from-dockertools.md lists them."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import COMMAND, ROOT, expression, nix, nix_build
from tests.support.consumers.docker import Docker
from tests.support.consumers.registry import Registry

HELLO = 'copyToRoot = pkgs.hello; config.Cmd = [ "/bin/hello" ];'


def image(arguments: str, function: str = "buildImage") -> Path:
    return nix_build(*expression(f'lamina.dockerTools.{function} {{ name = "x"; tag = "1"; {arguments} }}'))


def inspected(path: Path) -> dict[str, Any]:
    document: list[dict[str, Any]] = json.loads(
        subprocess.check_output([COMMAND, "inspect", "--json", path], timeout=60)
    )
    [only] = document
    return only


def layers(path: Path) -> Iterator[list[tarfile.TarInfo]]:
    """The members of each layer, bottom first."""
    with tarfile.open(path) as archive:
        file = archive.extractfile("manifest.json")
        assert file
        for name in json.loads(file.read())[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                yield layer.getmembers()


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    return {member.name: member for layer in layers(path) for member in layer}


SCRIPT = 'extraCommands = "mkdir -p etc; echo x > etc/x";'


def test_owners_reach_the_store_too() -> None:
    found = members(image(f"{HELLO} {SCRIPT} uid = 1000; gid = 100;"))
    assert any(name.startswith("nix/store/") for name in found) and "etc/x" in found
    assert {(member.uid, member.gid) for member in found.values()} == {(1000, 100)}


def test_layers_of_ones_own_keep_the_store_with_root() -> None:
    own = "layers = [ (lamina.buildLayer { paths = [ pkgs.hello ]; }) ];"
    found = members(image(f"{own} {SCRIPT} uid = 1000; gid = 100;"))
    assert {member.uid for name, member in found.items() if name.startswith("nix")} == {0}
    assert found["etc/x"].uid == 1000


FAKE_ROOT = 'fakeRootCommands = "mkdir etc; touch etc/x";'


@pytest.mark.parametrize("scripted", ["", SCRIPT, FAKE_ROOT, f"enableFakechroot = true; {FAKE_ROOT}"])
def test_the_time_reaches_every_file(scripted: str) -> None:
    more = f'contents = pkgs.hello; mtime = "2001-02-03T04:05:06Z"; {scripted}'
    found = members(image(more, "buildLayeredImage").resolve())
    assert {member.mtime for member in found.values()} == {981173106}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2001-02-03T04:05:06Z", "2001-02-03T04:05:06Z"),
        ("20010203", "2001-02-03T00:00:00Z"),
        ("2001-02-03T04:05:06", "2001-02-03T04:05:06Z"),
        ("@981173106", "2001-02-03T04:05:06Z"),
    ],
)
def test_times_as_dockertools_takes_them(given: str, expected: str) -> None:
    recipe = nix_build(*expression(f'(lamina.streamLayeredImage {{ name = "x"; created = "{given}"; }}).recipe'))
    assert json.loads(recipe.read_bytes())["created"] == expected


def test_the_store_has_one_mode() -> None:
    for built in (image(HELLO), image("contents = pkgs.hello;", "buildLayeredImage")):
        found = members(built)
        assert (found["nix"].mode, found["nix/store"].mode) == (0o755, 0o755)


def test_what_is_copied_to_the_root_is_not_there_twice() -> None:
    root = 'pkgs.runCommand "large" { } "mkdir $out; head -c 5000000 /dev/zero > $out/large"'
    sizes = [member.size for layer in layers(image(f"copyToRoot = {root};")) for member in layer]
    assert sum(sizes) == 5_000_000


BASE = 'lamina.dockerTools.buildImage { name = "base"; copyToRoot = pkgs.hello; config = CONFIG; }'
CONFIG = '{ Cmd = [ "/bin/hello" ]; User = "7"; Labels.a = "b"; Env = [ "A=1" "B=1" ]; WorkingDir = "/tmp"; }'
FROM_BASE = f'fromImage = {BASE.replace("CONFIG", CONFIG)}; config.Env = [ "B=2" "C=2" ];'


def test_config_is_inherited() -> None:
    config = inspected(image(f'{FROM_BASE} inheritConfig = "docker";'))["config"]["config"]
    assert config.pop("Env") == ["A=1", "B=2", "C=2"]
    assert config == {"Cmd": ["/bin/hello"], "User": "7", "Labels": {"a": "b"}, "WorkingDir": "/tmp"}


def test_each_variable_is_there_once() -> None:
    assert inspected(image(FROM_BASE))["config"]["config"] == {"Env": ["A=1", "B=2", "C=2"]}


def test_the_history_of_the_base_is_kept() -> None:
    history = inspected(image(f"{FROM_BASE} copyToRoot = lamina.fakeNss;"))["history"]
    assert [entry["created_by"].partition(" ")[0] for entry in history] == ["lamina:"] * len(history)
    assert len(history) == len(inspected(image(FROM_BASE))["history"]) + 1


def test_store_paths_of_the_base_are_not_shipped_again() -> None:
    base = 'lamina.buildLayeredImage { name = "base"; contents = pkgs.hello; }'
    built = image(f"fromImage = {base}; contents = [ pkgs.hello lamina.binSh ];", "buildLayeredImage")
    names = [name for layer in inspected(built)["layers"] for name in layer["storePaths"]]
    assert len(names) == len(set(names)) and any("-hello-" in name for name in names)


@pytest.mark.parametrize("compressor", ["gz", "zstd"])
def test_a_compressed_base(compressor: str) -> None:
    base = f'lamina.buildImage {{ name = "base"; compressor = "{compressor}"; copyToRoot = pkgs.hello; }}'
    for function in ("buildImage", "buildLayeredImage"):
        assert "bin/hello" in members(image(f"fromImage = {base};", function))


@pytest.mark.parametrize("function", ["buildImage", "buildLayeredImage"])
def test_the_architecture_is_that_of_the_packages_or_as_told(function: str) -> None:
    assert inspected(image(HELLO if function == "buildImage" else "", function))["config"]["architecture"] == "amd64"
    assert inspected(image('architecture = "arm64";', function))["config"]["architecture"] == "arm64"


def test_the_architecture_follows_the_package_set() -> None:
    pkgs = f'import {ROOT}/tests/nix/nixpkgs {{ system = "aarch64-linux"; }}'
    text = f"(import {ROOT} {{ pkgs = {pkgs} // {{ go = {{ }}; }}; }}).buildImage.__functionArgs.architecture"
    assert nix("nix-instantiate", "--eval", "-E", text).stdout.strip() == "true"
    arch = f"(import {ROOT}/nix/toolbox {{ pkgs = {pkgs} // {{ go = {{ }}; }}; }}).goArch"
    assert nix("nix-instantiate", "--eval", "-E", arch).stdout.strip() == '"arm64"'


def test_a_place_for_temporary_files(dockerd: Docker) -> None:
    arguments = 'copyToRoot = pkgs.busybox; layers = [ lamina.tmp ]; config.User = "1000";'
    [name] = dockerd.load(image(arguments))
    done = dockerd.run(name, ["/bin/sh", "-c", "echo x > /tmp/x && echo y > /var/tmp/y && /bin/stat -c %a /tmp"])
    assert done.stdout == "1777\n", done.stderr


def test_no_layer_is_left_for_store_paths() -> None:
    """Daemons take 127 layers; the error says who has them."""
    base = 'lamina.buildLayeredImage { name = "base"; contents = pkgs.redis; maxLayers = 5; }'
    arguments = f'{{ name = "x"; fromImage = {base}; contents = pkgs.hello; maxLayers = 6; }}'
    done = nix("nix-build", "--no-out-link", *expression(f"(lamina.streamLayeredImage {arguments}).recipe"))
    assert (
        "maxLayers is 6, but the base has 5 layers and other content than store paths needs 1; use at least 7"
        in done.stderr
    )


def layout(pulled: dict[str, str], registry: Registry, directory: Path) -> None:
    """What the registry holds of the base, as a layout, without Skopeo."""
    kind, repository = "application/vnd.docker.distribution.manifest.v2+json", "/v2/library/base"
    _, manifest, _ = registry.ask("GET", f"{repository}/manifests/{pulled['imageDigest']}")
    parsed = json.loads(manifest)
    blobs = {pulled["imageDigest"]: manifest}
    for descriptor in (parsed["config"], *parsed["layers"]):
        blobs[descriptor["digest"]] = registry.ask("GET", f"{repository}/blobs/{descriptor['digest']}")[1]
    (directory / "blobs/sha256").mkdir(parents=True)
    for digest, data in blobs.items():
        (directory / "blobs/sha256" / digest.removeprefix("sha256:")).write_bytes(data)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    notes = {
        "io.containerd.image.name": f"{pulled['imageName']}:latest",
        "org.opencontainers.image.ref.name": "latest",
    }
    entry = {"mediaType": kind, "digest": pulled["imageDigest"], "size": len(manifest), "annotations": notes}
    index = {"schemaVersion": 2, "manifests": [entry]}
    (directory / "index.json").write_text(json.dumps(index, separators=(",", ":")))


def test_a_layout_is_what_the_registry_holds(pulled: str, registry: Registry, tmp_path: Path) -> None:
    """All digests stay. The hash depends on the image alone, not on the program that pulled it."""
    layout(json.loads(nix("nix-instantiate", "--eval", "--json", "--strict", "-E", pulled).stdout), registry, tmp_path)
    expected = nix("nix-hash", "--type", "sha256", "--base32", tmp_path).stdout.strip()
    arguments = f'({pulled} // {{ hash = null; sha256 = "{expected}"; format = "oci"; }})'
    nix_build(*expression(f"lamina.pullImage {arguments}"))
    on_layout, on_archive = (
        inspected(image(f"fromImage = lamina.pullImage {each}; copyToRoot = lamina.fakeNss;"))
        for each in (arguments, pulled)
    )
    assert [layer["diffId"] for layer in on_layout["layers"]] == [layer["diffId"] for layer in on_archive["layers"]]
    assert on_layout["config"]["config"] == on_archive["config"]["config"]
