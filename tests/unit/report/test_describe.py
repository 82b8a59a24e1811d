"""What `lamina inspect` shows, to programs and to people."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from lamina.report.describe import inspect, table
from tests.support.archives import SHAPES, Piece, Shape, digest, docker_save, folder, sample, tar_of
from tests.support.fixtures import Command
from tests.support.recipes import save
from tests.support.trees import hashed_name

NIX = tar_of(
    [
        folder("nix"),
        folder("nix/store"),
        *(Piece(f"nix/store/{hashed_name(name)}", b"x") for name in ("b-1", "a-1", "e-1", "d-1", "c-1")),
    ]
)
IMAGE = sample(
    layers=(sample("x").layers[0], NIX), config={"Env": ["A=1"], "Labels": {"k": "v"}, "Volumes": {"/d": {}}}
)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_the_json_of_an_image(shape: Shape, tmp_path: Path) -> None:
    (image,) = inspect(save(shape([IMAGE]), tmp_path / "it.tar"))
    assert set(image) == {"names", "configDigest", "config", "history", "layers"}
    assert [name.removeprefix("docker.io/") for name in image["names"]] == ["env/two:1"]
    assert image["config"]["config"] == IMAGE.config
    assert image["layers"] == [
        {"diffId": digest(IMAGE.layers[0]), "size": len(IMAGE.layers[0]), "storePaths": []},
        {
            "diffId": digest(NIX),
            "size": len(NIX),
            "storePaths": [hashed_name(name) for name in ("a-1", "b-1", "c-1", "d-1", "e-1")],
        },
    ]


def test_the_command_tells_both(tmp_path: Path, lamina: Command) -> None:
    path = save(docker_save([IMAGE, sample("y", names=())]), tmp_path / "it.tar")
    assert json.loads(lamina("inspect", path, "--json").stdout) == inspect(path)
    assert lamina("inspect", path).stdout.decode() == table(inspect(path)) + "\n"


def test_what_eyes_see(tmp_path: Path) -> None:
    text = table(inspect(save(docker_save([IMAGE, sample("y", names=())]), tmp_path / "it.tar")))
    first, second = text.split("\n\n")
    assert first.splitlines() == [
        "env/two:1",
        "  for      linux/amd64, created 2026-11-23T17:05:00Z",
        "  Env      A=1",
        "  Labels   k=v",
        "  Volumes  /d",
        "  layers   2, 9.2 kB",
        f"    {digest(IMAGE.layers[0])[7:19]}     2.0 kB  no store paths",
        f"    {digest(NIX)[7:19]}     7.2 kB  a-1, b-1, c-1, d-1 and 1 more",
    ]
    assert second.startswith("(no name)\n")


def test_nothing_in_an_image_steers_a_terminal(tmp_path: Path, lamina: Command) -> None:
    evil = "\x1b[31m\n\r\x9b\u202e"
    pieces = docker_save([sample(names=(f"{evil}:1",), config={"Cmd": [evil], "Labels": {evil: evil}, "User": evil})])
    path = save(pieces, tmp_path / "it.tar")
    for arguments in (("inspect", path), ("inspect", path, "--json"), ("verify", path)):
        done = lamina(*arguments)
        assert done.returncode == int("verify" in arguments), "the name is none"
        assert all(char.isprintable() or char == "\n" for char in (done.stdout + done.stderr).decode())


@pytest.mark.parametrize("config", [None, {}])
def test_an_image_without_a_config(config: object, tmp_path: Path) -> None:
    image = sample(config=config)
    assert "  layers   2" in table(inspect(save(docker_save([image]), tmp_path / "it.tar")))


def test_a_duration_that_no_number_of_go_holds_is_shown_as_it_is(tmp_path: Path) -> None:
    image = attrs.evolve(IMAGE, config={"Healthcheck": {"Interval": int("9" * 400)}})
    assert f"  Healthcheck Interval={'9' * 20}" in table(inspect(save(docker_save([image]), tmp_path / "it.tar")))


def test_a_health_check_and_ports_are_readable(tmp_path: Path) -> None:
    check = {"Test": ["CMD", "wget", "a b"], "Interval": 2_000_000_000, "Timeout": 1_500_000_000, "Retries": 3}
    image = attrs.evolve(
        IMAGE, config={"Healthcheck": check, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "User": "1"}
    )
    lines = table(inspect(save(docker_save([image]), tmp_path / "it.tar"))).splitlines()
    assert "  Healthcheck  Test=CMD wget 'a b', Interval=2s, Timeout=1.5s, Retries=3" in lines
    assert "  ExposedPorts 80/tcp, 53/udp" in lines
    assert "  User         1" in lines
