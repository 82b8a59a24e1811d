"""Other tools that make an archive of the same closure.

buildah, umoci, skopeo and Docker are the distribution's. What nixpkgs' own pipelines do is done here with the same
programs: buildImage's appends the closure to a layer with GNU tar, hashes it and packs it once more. Three more are
measured when a variable says where they are: LAMINA_BENCH_NIX2CONTAINER (the program nix2container),
LAMINA_BENCH_STREAMER (nixpkgs' stream_layered_image.py) and LAMINA_BENCH_CRANE (the program crane).
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from pathlib import Path

from bench.cases import BUILD, UNSYNCED, Case, Goal, Row, lamina_build, measure, unsynced_build
from bench.measure import Command, Setting
from bench.start import path_infos
from lamina.recipe.recipe import StoreLayer, read_recipe

GIVEN = {
    "nix2container, digests only": "LAMINA_BENCH_NIX2CONTAINER",
    "nixpkgs' stream_layered_image.py": "LAMINA_BENCH_STREAMER",
    "GNU tar and crane append": "LAMINA_BENCH_CRANE",
}

FILES = "-C / -T {relative}"
STAMP = "--sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --hard-dereference"
BUILDAH = "buildah --root {work}/root --runroot {work}/run --storage-driver overlay"

PIPELINE = f"""
    mkdir -p {{work}}/image/id && cd {{work}}/image
    tar {STAMP} -rpf id/layer.tar {FILES}
    sum=$(sha256sum id/layer.tar)
    echo "{{{{\\"id\\":\\"$sum\\"}}}}" > id/json
    tar {STAMP} -cf {{out}} ."""

DOCKERTOOLS = "buildImage's pipeline"
SYNCED = "buildImage's pipeline, synced"

PEERS = {
    DOCKERTOOLS: Command(PIPELINE),
    SYNCED: Command(f"{PIPELINE}; sync -d {{out}}"),
    "buildah": Command(
        f"""
        container=$({BUILDAH} from scratch)
        tar -cf - {FILES} | tar -xf - -C $({BUILDAH} mount $container)
        {BUILDAH} commit -q --format docker $container docker-archive:{{out}}:bench:1""",
        after=f"{BUILDAH} rm --all >&2",
    ),
    "umoci, one layer for each path, gzip": Command(
        """
        umoci init --layout {work}/layout
        umoci new --image {work}/layout:1
        while read -r path; do umoci insert --image {work}/layout:1 "$path" "$path"; done < {paths}"""
    ),
    "docker build and docker save": Command(
        f"""
        printf 'FROM scratch\\nCOPY nix /nix\\n' > {{work}}/Dockerfile
        tar -cf - -C {{work}} Dockerfile {FILES} | DOCKER_BUILDKIT=0 docker build -q --no-cache -t peer -
        docker save peer -o {{out}}""",
        after="docker rmi peer",
    ),
    "skopeo copy of the archive to a layout, gzip": Command(
        "skopeo copy -q --insecure-policy docker-archive:{result} oci:{work}/layout:1"
    ),
}

AT_LEAST = {
    DOCKERTOOLS: 5.0,
    "buildah": 5.0,
    "umoci, one layer for each path, gzip": 5.0,
    "nixpkgs' stream_layered_image.py": 8.0,
}


def peers(setting: Setting, times: int) -> tuple[list[Row], list[str]]:
    """Lamina beside each of them; and those that nobody has pointed to. `docker` must reach a daemon.

    The programs of buildImage's pipeline do not wait for the disk, so Lamina does not either beside them.
    """
    given = {name: os.environ[variable] for name, variable in GIVEN.items() if os.environ.get(variable)}
    commands = {BUILD: lamina_build, UNSYNCED: unsynced_build, **PEERS}
    for name, where in given.items():
        commands[name] = Command(given_command(name, shlex.quote(where), setting))
    goals = tuple(
        Goal(UNSYNCED if name == DOCKERTOOLS else BUILD, name, "faster", AT_LEAST.get(name))
        for name in commands
        if name not in (BUILD, UNSYNCED)
    )
    rows, _ = measure(Case("peers", commands, goals, warm=0), setting, times)
    return rows, [name for name in GIVEN if name not in given]


def given_command(name: str, program: str, setting: Setting) -> str:
    directory = setting.directory / "given"
    directory.mkdir(exist_ok=True)
    if "crane" in name:
        layer = f"tar {STAMP} -cf {{work}}/layer.tar {FILES}"
        return f"{layer}; {program} append --oci-empty-base -f {{work}}/layer.tar -t peer:1 -o {{out}}"
    if "nix2container" in name:
        graph = directory / "graph.json"
        graph.write_text(json.dumps(closure_graph(setting)))
        (directory / "config.json").write_text("{}")
        layers = f"{program} layers-from-reproducible-storepaths --max-layers 100 {{work}}/layers.json {graph}"
        return f"{layers}; {program} image {{work}}/image.json {directory}/config.json {{work}}/layers.json"
    (directory / "conf.json").write_text(json.dumps(streamed(setting, directory)))
    return f"{shlex.quote(sys.executable)} {program} {directory}/conf.json > {{out}}"


def closure_graph(setting: Setting) -> list[dict[str, object]]:
    """The store paths as exportReferencesGraph of Nix lists them."""
    return path_infos(Path(setting.names["paths"]).read_text().split())


def streamed(setting: Setting, directory: Path) -> dict[str, object]:
    """What stream_layered_image.py wants, with the layers of our own recipe and nothing at the root."""
    empty = bytes(10240)
    (directory / "layer.tar").write_bytes(empty)
    (directory / "checksum").write_text(hashlib.sha256(empty).hexdigest())
    recipe = read_recipe(Path(setting.names["recipe"]))
    layers = [[info.path for info in layer.paths] for layer in recipe.layers if isinstance(layer, StoreLayer)]
    owner = {"uid": 0, "gid": 0, "uname": "root", "gname": "root"}
    time = "1970-01-01T00:00:01+00:00"
    return {
        **owner,
        "architecture": recipe.architecture,
        "config": {},
        "created": time,
        "mtime": time,
        "repo_tag": "peer:1",
        "store_dir": "/nix/store",
        "from_image": None,
        "store_layers": layers,
        "customisation_layer": str(directory),
    }
