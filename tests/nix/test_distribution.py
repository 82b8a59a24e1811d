"""Images for many machines: layers that another one builds, what comes out of a binary cache, and what it needs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.builds import COMMAND, ROOT, environment, expression, nix
from tests.support.consumers.base import SYSTEM_PATH, Completed, answers, call, check, daemon, free_port, scratch
from tests.support.consumers.registry import Registry
from tests.support.needs import absent, need, need_root

# A layer that a script makes takes most to build: the command, a shell, and the tools that scripts find.
IMAGE = """
let
  layer = lamina.buildLayer {
    name = "far";
    paths = [ pkgs.hello ];
    extraCommands = "echo TEXT > text";
  };
in
{
  inherit layer;
  image = lamina.buildImage {
    name = "far";
    tag = "1";
    layers = [ layer ];
    copyToRoot = pkgs.writeTextDir "motd" "TEXT";
    config.Cmd = [ "${pkgs.hello}/bin/hello" ];
  };
}
"""
BUILD_NOTHING = ("--max-jobs", "0")
MINUTES = 300.0


def definition(text: str, attribute: str) -> tuple[str, ...]:
    """Arguments of nix-build for a piece of an image in which `text` is what no other image has."""
    return (*expression(IMAGE.replace("TEXT", text)), "-A", attribute)


def words_of(*words: str | Path) -> list[str]:
    """What a program of Nix' prints here, word by word."""
    done = nix(*words)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.split()


def realised(*piece: str | Path) -> str:
    """Build as nix-build does, but without leaving a root for the garbage collector."""
    return words_of("nix-store", "--realise", *words_of("nix-instantiate", *piece))[0]


def closure(*paths: str) -> set[str]:
    return set(words_of("nix-store", "--query", "--requisites", *paths))


def built(path_info: str) -> set[str]:
    """The paths of `nix path-info --json` that were built in that store: all others were copied there."""
    parsed = json.loads(path_info)
    # A list before Nix 2.19, and an object by path since.
    infos = parsed if isinstance(parsed, list) else [{**(info or {}), "path": path} for path, info in parsed.items()]
    return {info["path"] for info in infos if info.get("ultimate")}


@frozen
class Machine:
    """Another machine as far as Nix can see: what runs on it has a /nix of its own, with nothing in it at first."""

    directory: Path

    def words(self, *words: str | Path) -> list[str | Path]:
        script = 'mount --bind "$1" /nix; shift; exec "$@"'
        return ["unshare", "--mount", "sh", "-ec", script, "machine", self.directory / "nix", *words]

    @property
    def environment(self) -> dict[str, str]:
        return environment(NIX_REMOTE="local", XDG_CACHE_HOME=str(self.directory / "cache"))

    def call(self, *words: str | Path) -> Completed:
        return call(self.words(*words), timeout=MINUTES, env=self.environment)

    def run(self, *words: str | Path) -> str:
        done = self.call(*words)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def paths(self) -> set[str]:
        return set(self.run("nix", "path-info", "--all").split())

    def built(self) -> set[str]:
        return built(self.run("nix", "path-info", "--all", "--json"))


@pytest.fixture
def machine() -> Iterator[Machine]:
    need_root()
    if Path(shutil.which("nix-store") or "/nix").resolve().is_relative_to("/nix"):
        absent("Nix itself lies below /nix, where these tests put another directory: apt-get install nix-bin")
    with scratch() as directory:
        (directory / "nix").mkdir()
        yield Machine(directory)


SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile {directory}/pid
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
# Everybody may write to the directory above, which sshd holds against the keys.
StrictModes no
SetEnv {surroundings}
"""

# sshd wants its directory in /run, and lets nobody in whose account is locked, as root's is on many machines.
START_SSHD = """\
printf 'root:*:::::::\\n' > "$1/shadow"
mount --bind "$1/shadow" /etc/shadow
mount -t tmpfs none /run
mkdir /run/sshd
exec "$2" -D -e -f "$1/sshd_config"
"""


@frozen
class Builder:
    """A machine that takes builds through ssh."""

    machine: Machine
    port: int

    def realise(self, derivation: str) -> Completed:
        """Build on it, and nothing here: not even what prefers to be built here."""
        directory = self.machine.directory
        ssh = f"-F none -p {self.port} -o StrictHostKeyChecking=yes -o UserKnownHostsFile={directory}/known_hosts"
        there = f"ssh://root@127.0.0.1 - {directory}/user 2 1"
        # Without a daemon between, so that it is this environment that ssh sees.
        surroundings = {"NIX_SSHOPTS": ssh, "NIX_REMOTE": "local"}
        return nix("nix-store", "--realise", derivation, *BUILD_NOTHING, "--builders", there, **surroundings)


@pytest.fixture
def builder(machine: Machine) -> Iterator[Builder]:
    need("sshd", "openssh-server")
    need("ssh", "openssh-client")
    sshd = shutil.which("sshd", path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}")
    assert sshd, "found a moment ago"
    directory, port = machine.directory, free_port()
    for key in ("host", "user"):
        check(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key])
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {(directory / 'host.pub').read_text()}")
    ours = {name: value for name, value in machine.environment.items() if name.startswith("NIX_")}
    surroundings = " ".join(f'"{name}={value}"' for name, value in ours.items())
    settings = SSHD.format(directory=directory, port=port, surroundings=surroundings)
    (directory / "sshd_config").write_text(settings)
    start = machine.words("sh", "-ec", START_SSHD, "sshd", directory, sshd)
    with daemon(start, directory, lambda: answers(port)):
        yield Builder(machine, port)


@frozen
class Image:
    """An image that only this run has, made here."""

    text: str
    layer: str
    recipe: str
    archive: Path


@pytest.fixture(scope="module")
def image() -> Image:
    text = uuid.uuid4().hex
    layer, recipe, archive = (realised(*definition(text, piece)) for piece in ("layer", "image.recipe", "image"))
    return Image(text, layer, recipe, Path(archive))


@pytest.fixture(scope="module")
def lamina() -> str:
    return realised(ROOT, "-A", "lamina")


def files(archive: Path) -> dict[str, bytes]:
    """The files of an archive's image, by name, as Python's own tarfile reads them."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as outer:
        for name in manifest(outer)["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(name)) as layer:
                found |= {member.name: content(layer, member.name) for member in layer if member.isreg()}
    return found


def manifest(archive: tarfile.TarFile) -> dict[str, list[str]]:
    only: dict[str, list[str]]
    (only,) = json.loads(content(archive, "manifest.json"))
    return only


def content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file, name
    return file.read()


def test_layers_and_recipes_are_built_on_another_machine(image: Image, builder: Builder, tmp_path: Path) -> None:
    """What `image` took is here, so all that is left to build is what this text changes."""
    text = uuid.uuid4().hex
    (derivation,) = words_of("nix-instantiate", *definition(text, "image.recipe"))
    (layer,) = words_of("nix-store", "--query", "--outputs", *words_of("nix-instantiate", *definition(text, "layer")))

    alone = nix("nix-store", "--realise", derivation, *BUILD_NOTHING, "--builders", "")
    assert alone.returncode != 0, "built here, although nothing may be"
    assert builder.machine.paths() == set()

    done = builder.realise(derivation)
    assert done.returncode == 0, done.stderr
    recipe = done.stdout.strip()
    new = closure(recipe, layer) - closure(image.recipe, image.layer)
    # The script's tar, the layer, the text at the root, and the recipe.
    assert {recipe, layer} < new and len(new) == 4
    assert new <= builder.machine.built()
    assert built(nix("nix", "path-info", "--json", *new).stdout) == set()

    archive = tmp_path / "far.tar"
    check([COMMAND, "build", recipe, "-o", archive])
    check([COMMAND, "verify", archive])
    assert files(archive)["text"] == f"{text}\n".encode()


@frozen
class Cache:
    """A binary cache, and the key that it is signed with."""

    address: str
    key: str

    @property
    def used(self) -> tuple[str, ...]:
        return ("--option", "substituters", self.address)

    @property
    def trusted(self) -> tuple[str, ...]:
        return (*self.used, "--option", "trusted-public-keys", self.key)


@pytest.fixture(scope="module")
def cache(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """It holds the image's layer and recipe, and what these refer to."""
    directory = tmp_path_factory.mktemp("cache")
    secret, public, address = directory / "secret", directory / "public", f"file://{directory}/cache"
    words_of("nix-store", "--generate-binary-cache-key", "lamina-test-1", secret, public)
    words_of("nix", "copy", "--to", f"{address}?compression=none&secret-key={secret}", image.layer, image.recipe)
    return Cache(address, public.read_text().strip())


@pytest.mark.parametrize("piece", ["layer", "image.recipe"])
def test_layers_and_recipes_come_out_of_a_cache(
    piece: str, image: Image, cache: Cache, lamina: str, machine: Machine
) -> None:
    """Another machine that has the same expression, and builds nothing."""
    wanted = image.layer if piece == "layer" else image.recipe
    build = ("nix-build", "--no-out-link", *BUILD_NOTHING, *definition(image.text, piece))
    distrustful = machine.call(*build, *cache.used)
    assert distrustful.returncode != 0 and "max-jobs" in distrustful.stderr
    assert wanted not in machine.paths()

    assert machine.run(*build, *cache.trusted).split() == [wanted]
    assert closure(wanted) <= machine.paths()
    assert machine.built() == set()
    assert lamina not in machine.paths()


def test_a_recipe_needs_only_what_it_names(
    image: Image, cache: Cache, lamina: str, machine: Machine, tmp_path: Path
) -> None:
    """A machine that has what the recipe refers to, and nothing else, makes the very archive that was made here."""
    machine.run("nix-store", "--realise", image.recipe, *BUILD_NOTHING, *cache.trusted)
    layers = json.loads(Path(image.recipe).read_bytes())["layers"]
    named = {path["path"] for layer in layers for path in layer.get("paths") or layer.get("trees") or [layer]}
    assert machine.paths() == named | {image.recipe}
    assert machine.built() == set()
    assert lamina in closure(lamina) and not {path for path in named if "-python" in path or "-lamina-" in path}

    archive = tmp_path / "far.tar"
    machine.run(COMMAND, "build", image.recipe, "-o", archive)
    assert archive.read_bytes() == image.archive.read_bytes()


def test_an_image_goes_to_a_registry_through_a_pipe(image: Image, registry: Registry) -> None:
    """No archive is written; zstd, because Skopeo reads what comes out of a pipe twice unless it is compressed."""
    name = f"{registry.address}/team/far:1"
    copy = f"skopeo --insecure-policy copy --dest-tls-verify=false docker-archive:/dev/stdin docker://{name}"
    check(["bash", "-o", "pipefail", "-c", f"{COMMAND} build {image.recipe} --compressor zstd -o - | {copy}"])
    with tarfile.open(image.archive) as archive:
        config = content(archive, str(manifest(archive)["Config"]))
    assert registry.config_digest("team/far:1") == f"sha256:{hashlib.sha256(config).hexdigest()}"
