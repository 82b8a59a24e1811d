"""`lamina load` into a Docker daemon of its own, beside what its client alone takes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from bench.cases import Amount, Case, Goal, Row, measure
from bench.closures import recipe
from bench.measure import Command, Setting
from lamina.oci.strict_json import Json
from lamina.recipe.recipe import Recipe, read_recipe, recipe_json
from tests.support.consumers.adapters import opened
from tests.support.consumers.base import SYSTEM_PATH
from tests.support.consumers.docker import Docker
from tests.support.consumers.loading import loader_for

SENT = 256 << 10
INSPECT = "docker image inspect"
NOTHING = "load, nothing changed"
CHANGED = "load, one path changed"
SAME = "docker load of what is sent, an archive of only those layers"
ONLY = "docker load of an image of only those layers"

CASES = (
    Case(
        "load",
        {NOTHING: Command("{lamina} load {recipe}"), INSPECT: Command("docker image inspect bench:latest")},
        (Goal(NOTHING, INSPECT, "above", 0.3),),
        cold=False,
        weighed=(NOTHING,),
    ),
    Case(
        "load",
        {
            CHANGED: Command("{lamina} load {edited}", after="docker rmi bench:latest"),
            SAME: Command("docker load -i {sent}", after="docker rmi bench:latest"),
            ONLY: Command("docker load -i {only}", after="docker rmi only:latest"),
        },
        (Goal(CHANGED, SAME, "ratio", 1.5), Goal(CHANGED, ONLY, "ratio")),
        cold=False,
        weighed=(CHANGED,),
    ),
)

# A client that also keeps what it is given to load.
CLIENT = """\
#!/bin/bash
PATH={path}
case "$*" in
  load*) tee {sent} | docker "$@" ;;
  *) exec docker "$@" ;;
esac
"""


@contextmanager
def daemon(setting: Setting) -> Iterator[tuple[Docker, Setting]]:
    """A daemon that holds nothing, and the setting in which `docker` is its client."""
    with opened("dockerd") as consumer:
        assert isinstance(consumer, Docker)
        path = f"{SYSTEM_PATH}:{setting.environment['PATH']}"
        yield consumer, evolve(setting, environment={**setting.environment, "PATH": path, "DOCKER_HOST": consumer.host})


def loads(setting: Setting, closure: str, times: int) -> tuple[list[Row], list[Amount]]:
    """With the image of the closure in the daemon, which `lamina load` has put there.

    What a load adds to it is taken away each time. The image itself stays, with its name or without.
    """
    rows, amounts = [], []
    with daemon(setting) as (consumer, inside), tempfile.TemporaryDirectory(dir=setting.directory) as name:
        inside.do(Command("{lamina} load {recipe}"))
        edited = edit(inside, closure, Path(name))
        for case in CASES:
            more_rows, more_amounts = measure(case, edited, times)
            rows += more_rows
            amounts += more_amounts
        amounts += counted(consumer, edited)
    return rows, amounts


def edit(setting: Setting, closure: str, directory: Path) -> Setting:
    """`{edited}`: the recipe with another application. `{sent}`: what a load of it sends. `{only}`: its new layers."""
    edited = setting.but(edited=recipe(closure, "2", "bench"), sent=directory / "sent", only=directory / "only")
    wanted, held = (read_recipe(Path(edited.names[name])) for name in ("edited", "recipe"))
    (directory / "only.json").write_text(json.dumps(without(wanted, held)))
    edited.do(Command(f"{{lamina}} build {directory}/only.json -o {{only}}"))

    client = directory / "bin/docker"
    client.parent.mkdir()
    client.write_text(CLIENT.format(path=setting.environment["PATH"], sent=edited.names["sent"]))
    client.chmod(0o755)
    path = f"{client.parent}:{setting.environment['PATH']}"
    evolve(edited, environment={**setting.environment, "PATH": path}).do(Command("{lamina} load {edited}"))
    edited.do(Command("docker rmi bench:latest; {lamina} load {recipe}"))
    return edited


def without(wanted: Recipe, held: Recipe) -> Json:
    """The recipe without the layers that the other one has too, and under another name."""
    layers = recipe_json(held)["layers"]
    fields = recipe_json(wanted)
    new = [layer for layer in fields["layers"] if layer not in layers]
    assert new, "nothing was edited"
    others = {key: value for key, value in fields.items() if key != "references"}  # these are those of all paths
    return {**others, "layers": new, "names": [{"name": "only", "tag": "latest"}]}


def counted(consumer: Docker, setting: Setting) -> list[Amount]:
    """Bytes that the client is given, counted where they enter it, when nothing and when one path has changed."""
    with tempfile.TemporaryDirectory() as name:
        loader = loader_for(consumer, Path(name))  # which has a cache of its own
        loader.sent(Path(setting.names["recipe"]))
        return [
            Amount(f"sent by {NOTHING}", loader.sent(Path(setting.names["recipe"])), SENT),
            Amount(f"sent by {CHANGED}", loader.sent(Path(setting.names["edited"]))),
        ]
