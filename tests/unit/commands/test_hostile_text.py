"""Nothing that an archive or a recipe holds steers a terminal: no command prints control characters or bidi marks."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.archives import (
    Piece,
    Sample,
    docker_26_classic,
    docker_save,
    layer_of,
    oci_archive,
    sample,
    tar_of,
    to_json,
)
from tests.support.recipes import base, recipe, save, store_layer, write_recipe
from tests.support.trees import hashed_name

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\u200b\r\n\x7f\0\ud800"
"""A terminal's title, a cleared screen, C1's escape, an override of direction, a new line, a NUL, half a pair."""
EVIL_JSON = EVIL[:-1]
"""JSON with half a surrogate pair is refused as a whole."""
EVIL_NAME = EVIL.replace("\0", "").replace("\ud800", "")

STEERS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What must not be printed: everything but the new line that ends each line."""


def harmless(printed: bytes) -> None:
    text = printed.decode()
    assert not STEERS.search(text), repr(text)


def ran(directory: Path, *arguments: object, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[bytes]:
    words = [os.fsencode(str(word)) for word in arguments]
    command: list[str | bytes] = [sys.executable, "-m", "lamina", *words]
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, timeout=60)
    harmless(done.stdout)
    harmless(done.stderr)
    return done


def evil_image(**changes: Any) -> Sample:
    store_name = f"nix/store/{hashed_name('x')}\x1b[31m\u202e"
    layer = layer_of({store_name: b"x", "etc/\x1b[31m": b"y"})
    config = {
        "Env": [f"A={EVIL_JSON}"],
        "Cmd": [EVIL_JSON],
        "Labels": {EVIL_JSON: EVIL_JSON},
        EVIL_JSON: {EVIL_JSON: 1},
    }
    fields = {"created": EVIL_JSON, "author": EVIL_JSON, "os": EVIL_JSON, "architecture": EVIL_JSON}
    return attrs.evolve(Sample((layer,), names=(f"{EVIL_JSON}:1",), config=config, extra=fields), **changes)


def edited(pieces: list[Piece], name: str, **changes: Any) -> list[Piece]:
    [document] = [json.loads(piece.data) for piece in pieces if piece.name == name]
    document[0].update(changes)
    return [Piece(name, to_json(document)) if piece.name == name else piece for piece in pieces]


PLAIN = docker_save([sample()])
ARCHIVES = {
    "names and config": docker_save([evil_image()]),
    "an OCI archive": oci_archive([evil_image()]),
    "both": docker_26_classic([evil_image()]),
    "several images": docker_save([evil_image(), sample(names=(f"b{EVIL_JSON}:2",))]),
    "a path of a config": edited(PLAIN, "manifest.json", Config=EVIL_JSON),
    "a path of a layer": edited(PLAIN, "manifest.json", Layers=[EVIL_JSON, EVIL_JSON]),
    "a wrong type": edited(PLAIN, "manifest.json", RepoTags={EVIL_JSON: EVIL_JSON}),
    "a member that leaves": [*PLAIN, Piece(f"../{EVIL_NAME}", b"x")],
    "a link that leaves": [*PLAIN, Piece(f"a{EVIL_NAME}", link=f"../../{EVIL_NAME}")],
    "repositories": [*PLAIN[:-1], Piece("repositories", to_json({EVIL_JSON: {EVIL_JSON: "x"}}))],
    "a v1 chain": [
        *PLAIN[:-1],
        Piece("repositories", to_json({EVIL_JSON: {EVIL_JSON: f"i{EVIL_NAME}"}})),
        Piece(f"i{EVIL_NAME}/json", to_json({"parent": EVIL_JSON})),
        Piece(f"i{EVIL_NAME}/layer.tar", b"x"),
    ],
    "no JSON": [Piece("manifest.json", EVIL_NAME.encode())],
    "half a surrogate pair": [Piece("manifest.json", b'["\\ud800\x1b[31m"]')],
}  # fmt: skip


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_steers_no_terminal(kind: str, tmp_path: Path) -> None:
    path = save(ARCHIVES[kind], tmp_path / "it.tar")
    for words in (("inspect",), ("inspect", "--json"), ("verify",), ("verify", "--json")):
        ran(tmp_path, *words, path)
    fields = recipe(base=base(path, name=f"x{EVIL_JSON}", tag=EVIL_JSON))
    ran(tmp_path, "build", write_recipe(fields, tmp_path), "-o", "out.tar")
    ran(tmp_path, "build", write_recipe(recipe(base=base(path)), tmp_path), "-o", "out.tar")


def test_what_a_daemon_s_client_says_steers_no_terminal(tmp_path: Path) -> None:
    client = tmp_path / "docker"
    client.write_text(f"#!{sys.executable}\nimport sys\nsys.stderr.write({EVIL_NAME!r} + 'no')\nsys.exit(1)\n")
    client.chmod(0o755)
    path = save(docker_save([sample()]), tmp_path / "it.tar")
    done = ran(tmp_path, "load", path, env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1 and b"the daemon does not answer" in done.stderr


RECIPES: dict[str, dict[str, Any]] = {
    "why": recipe({**store_layer(f"/nix/store/{hashed_name('x')}"), "why": EVIL_JSON}),
    "a name": recipe(names=[{"name": EVIL_JSON, "tag": EVIL_JSON}]),
    "a tag": recipe(names=[{"name": "a", "tag": EVIL_JSON}]),
    "a store path": recipe({**store_layer(f"/nix/store/{EVIL_JSON}")}),
    "a store": recipe({**store_layer(f"/{EVIL_NAME}/{hashed_name('x')}")}),
    "a tree": recipe({"kind": "root", "trees": [{"path": EVIL_NAME, "narHash": "x", "narSize": 1}]}),
    "a field": recipe(**{EVIL_JSON: 1}),
    "a kind": recipe({"kind": EVIL_JSON}),
    "a pattern": recipe({"kind": "root", "trees": [], "rules": [{"pattern": f"({EVIL_JSON}"}]}),
    "a base": recipe(base=base(Path(EVIL_NAME))),
    "a user": recipe(config={"Env": [EVIL_JSON], "Volumes": {f"/{EVIL_JSON}/..": {}}}),
    "a time": recipe(created=EVIL_JSON),
}


@pytest.mark.parametrize("kind", RECIPES)
def test_a_recipe_steers_no_terminal(kind: str, tmp_path: Path) -> None:
    path = write_recipe(RECIPES[kind], tmp_path)
    ran(tmp_path, "build", path, "-o", "out.tar")
    ran(tmp_path, "plan", path)
    ran(tmp_path, "plan", path, "--json")
    ran(tmp_path, "inspect", path)


@pytest.mark.parametrize(
    "words",
    [
        ("verify", f"{EVIL_NAME}.tar"),
        ("inspect", f"{EVIL_NAME}.tar"),
        ("build", f"{EVIL_NAME}.json", "-o", "out.tar"),
        ("build", "it.tar", "-o", f"{EVIL_NAME}/out.tar"),
        ("pack", EVIL_NAME, "-o", "out.tar"),
        ("plan", EVIL_NAME, "--lock", EVIL_NAME),
        (EVIL_NAME,),
        ("build", "it.tar", EVIL_NAME, "-o", "out.tar"),
        ("build", "it.tar", "-o", "out.tar", "--layout", EVIL_NAME),
        ("build", "it.tar", "-o", "out.tar", f"--{EVIL_NAME}"),
        ("pack", ".", "-o", "out.tar", "--uid", EVIL_NAME),
    ],
    ids=lambda words: words[0] if words[0] != EVIL_NAME else "no command",
)
def test_its_own_arguments_steer_no_terminal(words: tuple[str, ...], tmp_path: Path) -> None:
    save(PLAIN, tmp_path / "it.tar")
    assert ran(tmp_path, *words).returncode in (1, 2)


def test_files_of_a_tree_steer_no_terminal(tmp_path: Path) -> None:
    name = b"\x1b[31m\xff\xfe" + EVIL_NAME.encode()
    tree = os.fsencode(tmp_path / "tree")
    os.mkdir(tree)
    os.mkfifo(tree + b"/" + name)
    done = ran(tmp_path, "pack", "tree", "-o", "out.tar")
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1


def test_progress_on_a_terminal_steers_it_no_further(tmp_path: Path) -> None:
    """The progress line goes back to the line's start and clears it; nothing else that a name holds gets through."""
    path = tmp_path / f"{EVIL_NAME.replace('/', '')}.tar"
    path.write_bytes(tar_of([*docker_save([sample()]), Piece("much", bytes(1000))]))
    code = """import sys, lamina.data.progress as p, lamina.commands.main as m
p._INTERVAL = 0
sys.exit(m.main(sys.argv[1:]))
"""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NIX_BUILD_TOP"} | {"TERM": "xterm"}
    command = [sys.executable, "-c", code, "verify", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux says so when nobody has the other end any more
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert shown.count(b"\r\x1b[K") > 1 and b"verifying" in shown
    harmless(shown.replace(b"\r\x1b[K", b""))


def test_a_locale_without_these_letters_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = save(docker_save([sample(config={"Labels": {"a": "ü€"}})]), tmp_path / "it.tar")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "lamina", "inspect", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0 and rb"a=\xfc\u20ac" in done.stdout, done
