"""Layered and streamed images: how they are put together, and that what Nix gets to see of them is small."""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import COMMAND, expression, nix, nix_build, nix_error

Recipe = dict[str, Any]


def recipe_of(image: str) -> Recipe:
    parsed: Recipe = json.loads(nix_build(*expression(f"({image}).recipe")).read_bytes())
    return parsed


def stores(recipe: Recipe) -> list[list[str]]:
    """The names of the store paths in each of the recipe's layers that has any."""
    layers = (layer["paths"] for layer in recipe["layers"] if layer["kind"] == "store")
    return [[path["path"][44:] for path in paths] for paths in layers]


def streamed(arguments: str) -> str:
    return f'lamina.streamLayeredImage {{ name = "x"; {arguments} }}'


REDIS = "contents = pkgs.redis;"


@pytest.mark.parametrize("most", [2, 5, 9, 100])
def test_never_more_layers_than_asked_for(most: int) -> None:
    recipe = recipe_of(streamed(f"{REDIS} maxLayers = {most};"))
    assert 1 < len(recipe["layers"]) <= most
    names = [name for layer in stores(recipe) for name in layer]
    assert len(names) == len(set(names))
    assert len(recipe["layers"]) == min(most, len(names) + 1), "layers that cost nothing are used"


def test_the_layers_of_the_base_count() -> None:
    recipe = recipe_of(streamed(f"{REDIS} maxLayers = 5; fromImage = lamina.examples.onImage;"))
    assert len(recipe["layers"]) == 5 - 2
    too_few = streamed(f"{REDIS} maxLayers = 3; fromImage = lamina.examples.onImage;")
    said = nix_error(*expression(f"({too_few}).recipe"))
    assert (
        "maxLayers is 3, but the base has 2 layers and other content than store paths needs 1; use at least 4" in said
    )


def test_volatile_packages_are_on_top() -> None:
    recipe = recipe_of(
        streamed(f'{REDIS} config.Env = [ "X=${{pkgs.hello}}" ]; volatile = [ pkgs.hello ]; maxLayers = 6;')
    )
    assert any(name.startswith("hello-") for name in stores(recipe)[-1])
    assert not any(name.startswith("hello-") for layer in stores(recipe)[:-1] for name in layer)


def test_a_lock_keeps_layers_together(tmp_path: Path) -> None:
    """What `lamina plan --lock` wrote is an input like any other."""
    first = nix_build(*expression(f"({streamed(f'{REDIS} maxLayers = 4;')}).recipe"))
    lock = tmp_path / "layers.lock.json"
    subprocess.run([COMMAND, "plan", first, "--lock", lock], check=True, timeout=60)
    again = recipe_of(streamed(f"{REDIS} maxLayers = 4; lock = {lock};"))
    assert stores(again) == stores(json.loads(first.read_bytes()))


def test_explained() -> None:
    recipe = nix_build(*expression(f"({streamed(f'{REDIS} maxLayers = 4;')}).recipe"))
    done = subprocess.run(
        [COMMAND, "plan", recipe, "--explain"], capture_output=True, text=True, check=True, timeout=60
    )
    assert all(text in done.stdout for text in ("redis-server", "MB", "libc6"))
    as_json = subprocess.run(
        [COMMAND, "plan", recipe, "--json"], capture_output=True, text=True, check=True, timeout=60
    )
    layers = json.loads(as_json.stdout)
    assert [set(layer) for layer in layers] == [{"paths", "size", "exact", "diffId", "why"}] * len(layers)


def test_dockertools_pipeline() -> None:
    pipeline = 'layeringPipeline = [ ["popularity_contest"] ["limit_layers" 3] ];'
    assert len(stores(recipe_of(streamed(f"{REDIS} {pipeline}")))) == 3


def test_without_store_paths() -> None:
    assert stores(recipe_of(streamed(f"{REDIS} includeStorePaths = false;"))) == []


def test_the_program_streams_what_the_derivation_builds(tmp_path: Path) -> None:
    arguments = '{ name = "x"; tag = "1"; contents = pkgs.hello; }'
    program = nix_build(*expression(f"lamina.streamLayeredImage {arguments}"))
    with (tmp_path / "stream.tar").open("wb") as out:
        subprocess.run([program], stdout=out, check=True, timeout=60)
    built = nix_build(*expression(f"lamina.buildLayeredImage {arguments}"))
    assert (tmp_path / "stream.tar").read_bytes() == built.read_bytes()


def test_own_layers(tmp_path: Path) -> None:
    """Each store path once, where it comes first; owners and modes by pattern."""
    image = nix_build("-A", "examples.ownLayers")
    [inspected] = json.loads(subprocess.check_output([COMMAND, "inspect", "--json", image], timeout=60))
    names = [name for layer in inspected["layers"] for name in layer["storePaths"]]
    assert len(names) == len(set(names))
    first = [name[33:] for name in inspected["layers"][0]["storePaths"]]
    assert any(name.startswith("coreutils-") for name in first)
    with tarfile.open(image) as archive:
        stream = archive.extractfile(f"blobs/sha256/{inspected['layers'][-1]['diffId'][7:]}")
        with tarfile.open(fileobj=stream) as layer:
            found = {member.name: (member.uid, member.gid, member.mode) for member in layer}
    assert found["etc/app/token"] == (1000, 1000, 0o400)
    assert found["etc"] == (0, 0, 0o755)


def test_scripts_find_the_usual_programs() -> None:
    programs = "ls find diff sed grep awk tar gzip bzip2 xz bash file"
    script = f'extraCommands = "type -P {programs}";'
    nix_build(*expression(f"({streamed(script)}).recipe"))


def test_owners_that_a_script_gives_seeming_to_be_root() -> None:
    program = nix_build("-A", "examples.streamed")
    recipe = json.loads(nix_build("-A", "examples.streamed.recipe").read_bytes())
    [made] = [layer["path"] for layer in recipe["layers"] if layer["kind"] == "tar"]
    with tarfile.open(made) as layer:
        home = layer.getmember("home/alice")
    assert (home.uid, home.gid, home.mode) == (1000, 1000, 0o700)
    assert program.stat().st_mode & 0o111


def test_the_recipe_is_small_and_quick() -> None:
    """The derivation reads no file of the closure, so its cost depends on the number of paths alone."""
    several = "contents = [ pkgs.python3 pkgs.skopeo pkgs.curl ]; tag = toString builtins.currentTime;"
    image = f"({streamed(several)}).recipe"
    derivation = nix("nix-instantiate", *expression(image)).stdout.strip()
    nix("nix-store", "--realise", *nix("nix-store", "-q", "--references", derivation).stdout.split())
    begin = time.monotonic()
    done = nix("nix-store", "--realise", derivation)
    took = time.monotonic() - begin
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.stat().st_size < 100_000
    assert took < 5, "half a second on a quiet machine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("maxLayers = 1;", "maxLayers is 1; it takes a whole number above 1"),
        ("colour = 1;", "there is no argument colour"),
    ],
)
def test_wrong_arguments(arguments: str, said: str) -> None:
    assert said in nix_error(*expression(streamed(arguments)))
