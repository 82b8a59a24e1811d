"""includeNixDB: a real Nix in a container finds exactly the store paths that are there, whole."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.builds import COMMAND, expression, nix, nix_build, nix_builds
from tests.support.consumers.docker import Docker
from tests.support.needs import absent
from tests.support.once import Once

# Nix is the machine's own, seen from inside; the store, the database and all that it works on are the image's.
SEEN = ("/usr", "/lib", "/lib64", "/bin")
SURROUNDINGS = ("HOME=/tmp", "USER=root", "NIX_CONFIG=build-users-group =")
FILE = 'pkgs.writeText "some-file" "some data"'
LINK = 'pkgs.runCommand "link" { } "ln -s ${pkgs.hello}/bin/hello $out"'

IMAGES = {
    "copies": "buildImage { copyToRoot = [ pkgs.hello lamina.fakeNss ];",
    "config": 'buildImage { config.Cmd = [ "${pkgs.redis}/bin/redis-server" ];',
    "files": f'streamLayeredImage {{ contents = pkgs.hello; config.Env = [ "A=${{{FILE}}}" "B=${{{LINK}}}" ];',
    "layered": "buildLayeredImage { contents = [ pkgs.redis pkgs.hello ]; maxLayers = 5;",
    "scripted": 'buildLayeredImage { contents = pkgs.hello; extraCommands = "ln -s ${pkgs.redis} redis";',
    "own-layers": "buildImage { layers = [ (lamina.buildLayer { paths = [ pkgs.redis ]; }) ]; copyToRoot = pkgs.hello;",
    "base-without": "buildImage { copyToRoot = pkgs.hello; fromImage = base { };",
    "base-with": "buildLayeredImage { contents = pkgs.hello; fromImage = base { includeNixDB = true; };",
}
BASE = 'base = more: lamina.buildImage ({ name = "b"; config.Cmd = [ "${pkgs.jq}/bin/jq" ]; } // more);'


def image(kind: str, more: str = "") -> str:
    return f'(let {BASE} in lamina.{IMAGES[kind]} name = "db-{kind}"; tag = "1"; includeNixDB = true; {more} }})'


def store_names(archive: Path) -> set[str]:
    [inspected] = json.loads(subprocess.check_output([COMMAND, "inspect", "--json", archive], timeout=60))
    return {name for layer in inspected["layers"] for name in layer["storePaths"]}


@pytest.fixture(scope="module")
def inside(dockerd: Docker) -> Docker:
    if not Path("/usr/bin/nix-store").exists():
        absent("no Nix below /usr that a container could be shown: apt-get install nix-bin")
    return dockerd


SCRIPT = """
nix-store --verify --check-contents
nix --extra-experimental-features nix-command path-info --all
echo in the store
ls /nix/store
echo dead
nix-store --gc --print-dead
"""


def asked(dockerd: Docker, name: str) -> tuple[set[str], set[str], set[str]]:
    """What Nix in a container has registered, what lies in the store there, and what Nix would collect."""
    volumes = [word for path in SEEN for word in ("--volume", f"{path}:{path}:ro")]
    argv = ["-i", "PATH=/usr/bin:/bin", *SURROUNDINGS, "sh", "-euc", SCRIPT]
    done = dockerd.run(name, argv, options=["--entrypoint", "/usr/bin/env", *volumes])
    assert done.returncode == 0, done.stderr
    assert "checking store hashes" in done.stderr
    assert not any(word in done.stderr for word in ("disappeared", "modified", "missing")), done.stderr
    registered, _, rest = done.stdout.partition("in the store\n")
    there, _, dead = rest.partition("dead\n")
    return names(registered), names(there), names(dead)


def names(lines: str) -> set[str]:
    return {line.removeprefix("/nix/store/") for line in lines.split()} - {".links"}


@pytest.fixture(scope="module")
def recipes(once: Once) -> dict[str, Path]:
    """One for each of IMAGES."""

    def built() -> list[str]:
        listed = " ".join(f"{image(kind)}.recipe" for kind in IMAGES)
        return [str(path) for path in nix_builds(*expression(f"[ {listed} ]"))]

    return dict(zip(IMAGES, map(Path, once("database-recipes", built)), strict=True))


@pytest.mark.parametrize("kind", IMAGES)
def test_the_database_is_true(kind: str, recipes: dict[str, Path], inside: Docker, tmp_path: Path) -> None:
    """Nix hashes every path, finds all that lies in the store and no more, and would collect none of it."""
    recipe = recipes[kind]
    archive = tmp_path / "image.tar"
    subprocess.run([COMMAND, "build", recipe, "-o", archive], check=True, timeout=60)
    [name] = inside.load(archive)
    registered, there, dead = asked(inside, name)
    assert there == store_names(archive)
    if kind == "base-without":  # nobody there knows what these are, so to Nix they are rubbish
        unknown = there - registered
        assert any("-jq-" in path for path in unknown) and not registered - there
        assert dead == unknown
    else:
        assert registered == there
        assert not dead


def test_with_the_trees_that_are_copied(recipes: dict[str, Path]) -> None:
    """dockerTools registers what `copyToRoot` names, so that Nix in the image can be asked for it."""
    recipe = json.loads(recipes["copies"].read_bytes())
    shipped = {path["path"][44:] for layer in recipe["layers"] if layer["kind"] == "store" for path in layer["paths"]}
    assert "fake-nss" in shipped


def made(kind: str, more: str = "") -> Path:
    recipe = json.loads(nix_build(*expression(f"{image(kind, more)}.recipe")).read_bytes())
    [database] = [layer["path"] for layer in recipe["layers"] if layer.get("path", "").endswith("-nix-db.tar")]
    return Path(database)


def test_twice_the_same_bytes() -> None:
    """Nix builds it again and compares."""
    derivation = nix("nix-store", "--query", "--deriver", made("layered")).stdout.strip()
    done = nix("nix-store", "--realise", "--check", derivation)
    assert done.returncode == 0, done.stderr


def test_the_plan_of_the_layers_is_nothing_to_the_database() -> None:
    assert made("layered").read_bytes() == made("layered", 'mtime = "1970-01-01T00:00:01Z";').read_bytes()
    assert made("layered").read_bytes() == made("layered", 'config.User = "1";').read_bytes()


@pytest.mark.parametrize("chroot", ["", "enableFakechroot = true;"])
def test_scripts_give_the_database_to_somebody(chroot: str) -> None:
    """With dockerTools it lies where they run, so they are written as if it did; what they do to directories stays."""
    commands = "chown -R 1000:100 nix/var; chown 7 nix; chmod 0700 nix/var/nix/gcroots; [ -d nix/var/nix/db ]"
    with tarfile.open(made("files", f'{chroot} fakeRootCommands = "{commands}";')) as layer:
        found = {info.name: (info.uid, info.gid, info.mode) for info in layer}
    assert found.pop("nix") == (7, 0, 0o755)
    assert found["nix/var/nix/gcroots"] == (1000, 100, 0o700)
    assert found["nix/var/nix/db/db.sqlite"] == (1000, 100, 0o644)
    assert {(uid, gid) for uid, gid, _ in found.values()} == {(1000, 100)}


def test_the_owner_is_that_of_the_store() -> None:
    with tarfile.open(made("files", "uid = 1000; gid = 100;")) as layer:
        assert {(info.uid, info.gid) for info in layer} == {(1000, 100)}
