"""`lamina load` into real daemons: what goes over is counted where it enters the client, and the image then runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.store.ownership import Stamp
from lamina.store.root_tree import root_items
from lamina.store.tree_blob import TreeBlob
from tests.support.builds import COMMAND, ROOT, environment, expression, nix_build, nix_builds
from tests.support.consumers import base
from tests.support.consumers.adapters import opened
from tests.support.consumers.base import Consumer, check
from tests.support.consumers.docker import Docker
from tests.support.consumers.fixtures import Prefixes
from tests.support.consumers.loading import KINDS, Loader, client, loader_for
from tests.support.once import Once
from tests.support.recipes import recipe as unit_recipe
from tests.support.recipes import root_layer, write_recipe
from tests.support.selection import quick
from tests.support.trees import make_tree

NOTHING_TO_SPEAK_OF = 256 << 10


@pytest.fixture(params=KINDS)
def loader(request: pytest.FixtureRequest, tmp_path: Path) -> Loader:
    consumer: Consumer = request.getfixturevalue(request.param)
    return loader_for(consumer, tmp_path)


Recipe = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def recipe(once: Once) -> Recipe:
    """An image of hello, coreutils and an application of one's own, which alone says something else."""

    def built(name: str, greeting: str) -> str:
        application = f'(pkgs.writeShellScriptBin "app" "${{pkgs.coreutils}}/bin/echo {greeting}")'
        contents = f"contents = [ {application} pkgs.hello ]; volatile = [ {application} ];"
        arguments = f'{{ name = "{name}"; tag = "1"; {contents} config.Cmd = [ "/bin/app" ]; }}'
        return str(nix_build(*expression(f"(lamina.streamLayeredImage {arguments}).recipe")))

    return lambda name, greeting: Path(once(f"recipe-{name}-{greeting}", lambda: built(name, greeting)))


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses; daemons share nothing, so it is the same for all of them."""
    assert isinstance(request.node, pytest.Function)
    return "load-" + request.node.originalname.removeprefix("test_").replace("_", "-")


def image(loader: Loader, name: str) -> str:
    return loader.spelling(f"{name}:1")


def test_only_what_is_missing_is_sent(loader: Loader, unique: str, recipe: Recipe) -> None:
    first = recipe(unique, "one")
    whole = loader.sent(first)
    assert whole > 1 << 20
    assert loader.sent(first) < NOTHING_TO_SPEAK_OF
    second = recipe(unique, "two")
    predicted = loader.predicted(first, second)
    assert loader.sent(second) == predicted < NOTHING_TO_SPEAK_OF, "only the application has changed"
    done = loader.consumer.run(image(loader, unique))
    assert done.stdout.strip() == "two", done.stderr
    expected = subprocess.run([COMMAND, "inspect", second, "--json"], capture_output=True, check=True, timeout=60)
    assert loader.consumer.config_digest(image(loader, unique)) == json.loads(expected.stdout)[0]["configDigest"]


COLLECTING = tuple(kind for kind in KINDS if "containerd" in kind)
"""What keeps images in containerd, which collects garbage while images are loaded."""

OF_MAKE_TEST = ("dockerd", "dockerd_trixie_containerd", "podman", "containerd")
"""One of each family, and Docker with containerd's store."""

GREETINGS = [f"number {number}" for number in range(9)]


def many(name: str) -> list[str]:
    """For each greeting an image of a hundred layers, of which the last says it."""
    files = 'builtins.genList (n: pkgs.writeTextDir "file-${toString n}" "${toString n}") 98'
    application = 'pkgs.writeShellScriptBin "app" "echo ${greeting}"'
    arguments = f'{{ name = "{name}"; tag = "1"; contents = files ++ [ pkgs.hello app ]; '
    layers = 'maxLayers = 100; volatile = [ app ]; config.Cmd = [ "/bin/app" ]; }'
    image = f"greeting: let app = {application}; in (lamina.streamLayeredImage {arguments}{layers}).recipe"
    greetings = " ".join(f'"{greeting}"' for greeting in GREETINGS)
    return [str(path) for path in nix_builds(*expression(f"let files = {files}; in map ({image}) [ {greetings} ]"))]


@pytest.mark.parametrize("kind", quick(KINDS, *OF_MAKE_TEST))
def test_the_image_that_is_replaced_stays_until_its_layers_are_no_longer_needed(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, unique: str, once: Once
) -> None:
    """containerd collects it as soon as its name has gone over, while the new image is still being unpacked."""
    loader = loader_for(request.getfixturevalue(kind), tmp_path)
    first, *others = map(Path, once("many", lambda: many(unique)))
    replacements = others if kind in COLLECTING else others[:2]
    loader.sent(first)
    for path in replacements:
        assert loader.sent(path) < NOTHING_TO_SPEAK_OF
    assert loader.consumer.run(image(loader, unique)).stdout.strip() == GREETINGS[len(replacements)]
    assert not [name for name in loader.consumer.names() if "being-replaced" in name]


@pytest.mark.parametrize("kind", ["dockerd", "dockerd_trixie_containerd", "dockerd_forky", "dockerd_forky_containerd"])
def test_a_container_of_the_image_that_is_replaced_stays(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, unique: str, recipe: Recipe
) -> None:
    """The name that the image has meanwhile goes all the same, which Docker refuses unless it is forced."""
    consumer: Docker = request.getfixturevalue(kind)
    loader = loader_for(consumer, tmp_path)
    loader.sent(recipe(unique, "before"))
    check(consumer.docker("create", "--name", unique, "--network", "none", image(loader, unique)))
    try:
        assert loader.sent(recipe(unique, "after")) < NOTHING_TO_SPEAK_OF
        assert not [name for name in consumer.names() if "being-replaced" in name]
        assert check(consumer.docker("start", "--attach", unique)).strip() == "before"
    finally:
        consumer.destroy(unique)
    assert consumer.run(image(loader, unique)).stdout.strip() == "after"


def test_layers_that_the_daemon_lost_are_sent_again(loader: Loader, unique: str, recipe: Recipe) -> None:
    first = recipe(unique, "three")
    whole = loader.sent(first)
    loader.consumer.remove(image(loader, unique))
    again = loader.sent(recipe(unique, "four"))
    assert again <= 2 * whole
    assert loader.consumer.run(image(loader, unique)).stdout.strip() == "four"


def test_a_client_that_refuses_is_an_error(tmp_path: Path, recipe: Recipe) -> None:
    refuse = tmp_path / "bin/docker"
    refuse.parent.mkdir()
    refuse.write_text('#!/bin/sh\n[ "$1" = load ] || exit 0\nhead -c 9 >/dev/null\necho no room >&2\nexit 1\n')
    refuse.chmod(0o755)
    surroundings = environment(PATH=f"{refuse.parent}:{os.environ['PATH']}", XDG_CACHE_HOME=str(tmp_path))
    words: list[str | Path] = [COMMAND, "load", recipe("refused", "x")]
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["lamina: docker: refused the image: no room; see the daemon's log"]


def test_all_is_sent_when_less_does_not_do(dockerd: Consumer, tmp_path: Path, unique: str, recipe: Recipe) -> None:
    """The user sees why it took so long, and how much was sent."""
    loader = loader_for(dockerd, tmp_path)
    loader.sent(recipe(unique, "all one"))
    loader.counts.write_text("")
    program = tmp_path / "bin/docker"
    refuse = f"[ -e {tmp_path}/refused ] || {{ cat >{tmp_path}/refused; echo no room >&2; exit 1; }}"
    program.write_text(program.read_text().replace("load*|*import*)\n", f"load*)\n{refuse}\n"))
    done = loader.run(recipe(unique, "all two"))
    parsed = json.loads(done.stdout)
    assert parsed["refusal"] == "docker: refused the image: no room; see the daemon's log"
    whole = int(loader.counts.read_text())
    assert whole > 1 << 20
    assert (parsed["sent"], parsed["held"]) == (whole + (tmp_path / "refused").stat().st_size, 0)
    assert dockerd.run(image(loader, unique)).stdout.strip() == "all two"


def test_no_client(tmp_path: Path, recipe: Recipe) -> None:
    words: list[str | Path] = [COMMAND, "load", recipe("refused", "x"), "--to", "podman"]
    surroundings = environment(PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lamina: podman: the program is not installed; install it")


Starter = Callable[[], subprocess.Popen[bytes]]


def test_two_loads_at_once(loader: Loader, unique: str, recipe: Recipe) -> None:
    """Of two images that share layers, into one daemon, out of one cache."""
    recipes = [recipe(f"{unique}-{number}", f"number {number}") for number in range(2)]
    words: list[list[str | Path]] = [[COMMAND, "load", path, "--to", loader.to] for path in recipes]
    running = [subprocess.Popen(each, env=loader.environment) for each in words]
    assert [process.wait(300) for process in running] == [0, 0]
    for number in range(2):
        done = loader.consumer.run(image(loader, f"{unique}-{number}"))
        assert done.stdout.strip() == f"number {number}", done.stderr


def prunes(loader: Loader, name: str) -> list[list[str]]:
    """What takes an image away, and what nothing needs any more."""
    _, _, words = client(loader.consumer)
    if loader.to == "containerd":
        return [[*words, "images", "rm", "--sync", name]]
    return [[*words, "rmi", "--force", name], [*words, "image", "prune", "--force"]]


def test_a_load_during_a_prune(loader: Loader, unique: str, recipe: Recipe) -> None:
    """The layers that were there when the daemon was asked may be gone when the archive comes without them."""
    assert loader.run(recipe(unique, "old")).returncode == 0
    ended = threading.Event()

    def prune() -> None:
        while not ended.is_set():
            for words in prunes(loader, image(loader, unique)):
                base.call(words)

    pruning = threading.Thread(target=prune)
    pruning.start()
    try:
        loads = [loader.run(recipe(unique, f"new {number}")) for number in range(2)]
    finally:
        ended.set()
        pruning.join()
    for done in loads:
        assert done.returncode == 0 or re.fullmatch(r"lamina: .+; .+\n", done.stderr), done.stderr
    assert loader.run(recipe(unique, "last")).returncode == 0
    assert loader.consumer.run(image(loader, unique)).stdout.strip() == "last"


@pytest.mark.parametrize(
    "kind",
    [
        *("dockerd", "dockerd_trixie_containerd", "containerd"),
        *("dockerd_forky", "dockerd_forky_containerd", "containerd_forky"),
    ],
)
def test_a_daemon_that_dies_half_way(
    kind: str, prefix_of: Prefixes, tmp_path: Path, unique: str, recipe: Recipe
) -> None:
    """One line says so, and what was remembered until then does not mislead the next load."""
    path = recipe(unique, "seven")
    with opened(kind, prefix_of(kind)) as mortal:
        loader = loader_for(mortal, tmp_path)
        program = next((tmp_path / "bin").iterdir())
        kill = f"pkill -KILL -f -- '^(dockerd|containerd) .*{mortal.directory}'"  # type: ignore[attr-defined]
        program.write_text(program.read_text().replace("tee /dev", f"(head -c 400000; {kill}; cat) | tee /dev"))
        done = loader.run(path)
    assert done.returncode == 1
    assert re.fullmatch(r"lamina: .+; .+\n", done.stderr), done.stderr
    with opened(kind, prefix_of(kind)) as healthy:
        (tmp_path / "bin" / program.name).unlink()
        (tmp_path / "bin").rmdir()
        loader = loader_for(healthy, tmp_path)
        assert loader.sent(path) > 1 << 20
        assert healthy.run(image(loader, unique)).stdout.strip() == "seven"


def test_the_example_of_the_library_loads(dockerd: Docker, tmp_path: Path, unique: str, recipe: Recipe) -> None:
    """The program in docs/use/python.md that needs a daemon."""
    [program] = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/use/python.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "image.json").symlink_to(recipe(unique, "library"))
    loader = loader_for(dockerd, tmp_path)
    said = []
    for _ in range(2):
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, cwd=tmp_path, env=loader.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        said.append(re.fullmatch(r"(\d+) bytes sent, (\d+) bytes of layers were already there\n", done.stdout))
    first, second = said
    assert first and second
    assert int(first[1]) > 1 << 10 and second[1] == "0" and int(second[2]) > 1 << 20
    assert dockerd.run(image(loader, unique)).stdout.strip() == "library"


def test_docker_says_which_unchanged_layers_it_needs_again(dockerd: Docker, tmp_path: Path, unique: str) -> None:
    """The classic store finds a layer by all layers below it."""
    loader = loader_for(dockerd, tmp_path)
    above = make_tree(tmp_path / "above", {"above": unique.encode() * 10_000})
    costs = []
    for number in range(2):
        directory = tmp_path / str(number)
        directory.mkdir()
        below = make_tree(directory / "tree", {"below": f"{unique} {number}".encode()})
        fields = unit_recipe(root_layer(below), root_layer(above), names=[{"name": unique, "tag": str(number)}])
        done = loader.run(write_recipe(fields, directory))
        assert done.returncode == 0, done.stderr
        costs.append(json.loads(done.stdout))
    size = TreeBlob.of(root_items([str(above)], Stamp())).size
    assert [cost["repeated"] for cost in costs] == [0, size]
    assert costs[1]["sent"] > size and costs[1]["held"] == 0
