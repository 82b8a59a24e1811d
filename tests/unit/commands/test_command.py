"""The command as users meet it: each mistake is one line that says which file, what is wrong and what to do."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.commands.main import COMMANDS, INTERNAL_COMMANDS
from lamina.commands.parser import Command as CommandOfLamina
from tests.support.archive_checks import Opened
from tests.support.archives import WRAPPERS, Piece, docker_save, manifest, sample, tar_of, to_json
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import base, recipe, root_layer, save, store_layer, write_recipe
from tests.support.trees import Store, make_tree

IMAGE = sample()
SAVED = docker_save([IMAGE])
Mistake = Callable[[Path], tuple[list[object], str]]


def build_on(pieces: list[Piece], directory: Path, name: str | None = None) -> list[object]:
    path = save(pieces, directory / "base.tar")
    return ["build", write_recipe(recipe(base=base(path, name)), directory), "-o", "out.tar"]


def a_base_cut_short(directory: Path) -> tuple[list[object], str]:
    arguments = build_on(SAVED, directory)
    os.truncate(directory / "base.tar", 3000)
    return arguments, "{}/base.tar: the tar archive is cut short; copy or pull it again"


def a_packed_base_cut_short(directory: Path) -> tuple[list[object], str]:
    arguments = build_on(SAVED, directory)
    packed = WRAPPERS["gzip"](tar_of(SAVED))
    (directory / "base.tar").write_bytes(packed[: len(packed) // 2])
    return arguments, "{}/base.tar: the gzip data is cut short; copy or pull it again"


def a_base_that_is_none(directory: Path) -> tuple[list[object], str]:
    arguments = build_on([Piece("etc/motd", b"hi")], directory)
    return arguments, "{}/base.tar: contains no image: no manifest.json and no index.json; give what docker "


def a_base_that_is_no_tar(directory: Path) -> tuple[list[object], str]:
    arguments = build_on(SAVED, directory)
    (directory / "base.tar").write_text("this is my shopping list\n" * 100)
    return arguments, "{}/base.tar: no tar archive; give an image archive as docker save, podman save or skopeo"


def a_base_that_is_not_there(directory: Path) -> tuple[list[object], str]:
    arguments = build_on(SAVED, directory)
    (directory / "base.tar").unlink()
    return arguments, "{}/base.tar: No such file or directory; give a file that can be read"


def two_images_and_no_choice(directory: Path) -> tuple[list[object], str]:
    pieces = docker_save([IMAGE, sample("x", names=("other:2",))])
    remedy = "choose one by its name and tag"
    return build_on(pieces, directory), "{}/base.tar: contains 2 images that match: env/two:1; other:2; " + remedy


def a_choice_that_none_fits(directory: Path) -> tuple[list[object], str]:
    return build_on(SAVED, directory, "redis"), "{}/base.tar: contains no image redis:(any tag); it contains: env/two:1"


def a_layer_with_other_bytes(directory: Path) -> tuple[list[object], str]:
    wrong = IMAGE.layers[1][:512] + b"x" + IMAGE.layers[1][513:]
    pieces = [Piece(piece.name, wrong) if piece.data == IMAGE.layers[1] else piece for piece in SAVED]
    where = f"{{}}/base.tar({IMAGE.legacy_ids[1]}/layer.tar)"
    return build_on(pieces, directory), where + ": the config says diff ID sha256:"


def a_layer_too_few(directory: Path) -> tuple[list[object], str]:
    listing = manifest([IMAGE], lambda image: "config.json", lambda image: [f"{image.legacy_ids[0]}/layer.tar"])
    pieces = [piece for piece in SAVED if piece.name != "manifest.json"]
    message = "{}/base.tar: 1 layers in manifest.json, 2 diff IDs in the config; the archive is damaged"
    return build_on([*pieces, listing, Piece("config.json", IMAGE.document)], directory), message


def a_layer_outside(directory: Path) -> tuple[list[object], str]:
    listing = manifest([IMAGE], lambda image: "config.json", lambda image: ["../../etc/passwd", "/etc/passwd"])
    pieces = [listing, Piece("config.json", IMAGE.document)]
    return build_on(pieces, directory), "{}/base.tar: the name '../../etc/passwd' leaves the archive"


def a_link_outside(directory: Path) -> tuple[list[object], str]:
    name = f"{IMAGE.legacy_ids[0]}/layer.tar"
    pieces = [Piece(name, link="../../../etc/passwd") if piece.name == name else piece for piece in SAVED]
    return build_on(pieces, directory), "{}/base.tar: the link "


def a_document_that_is_no_json(directory: Path) -> tuple[list[object], str]:
    return build_on([Piece("manifest.json", b"{")], directory), "{}/base.tar(manifest.json): not JSON: "


def a_document_of_another_type(directory: Path) -> tuple[list[object], str]:
    pieces = [Piece("manifest.json", to_json({"Config": "x"}))]
    return build_on(pieces, directory), "{}/base.tar(manifest.json): manifest.json is "


def a_store_path_that_is_missing(directory: Path) -> tuple[list[object], str]:
    path = Store(directory / "nix" / "store").path("gone")
    fields = recipe(store_layer(str(path)))
    line = f"{path}: not in the store; get it with: nix-store --realise {path}"
    return ["build", write_recipe(fields, directory), "-o", "out.tar"], line


def a_name_that_deletes_files(directory: Path) -> tuple[list[object], str]:
    tree = make_tree(directory / "tree", {"etc/.wh.passwd": b""})
    line = f"{tree}/etc/.wh.passwd: the file's name starts with .wh.; in an image such a name deletes files; rename it"
    return ["build", write_recipe(recipe(root_layer(tree)), directory), "-o", "out.tar"], line


def a_recipe_that_is_not_there(_: Path) -> tuple[list[object], str]:
    return ["build", "gone.json", "-o", "out.tar"], "gone.json: No such file or directory; give the JSON file that"


def a_recipe_that_is_no_json(directory: Path) -> tuple[list[object], str]:
    (directory / "recipe.json").write_bytes(b"\x1b[31m")
    return ["build", "recipe.json", "-o", "out.tar"], "recipe.json: is not a recipe; give the JSON file that "


def a_recipe_cut_short(directory: Path) -> tuple[list[object], str]:
    (directory / "recipe.json").write_bytes(b'{"version": 1')
    return ["build", "recipe.json", "-o", "out.tar"], "recipe.json: not JSON: "


def an_archive_for_build(directory: Path) -> tuple[list[object], str]:
    save(SAVED, directory / "it.tar")
    return ["build", "it.tar", "-o", "out.tar"], "it.tar: is an image archive, not a recipe; give the JSON file that "


def a_packed_archive_for_plan(directory: Path) -> tuple[list[object], str]:
    (directory / "it.tar").write_bytes(WRAPPERS["zstd"](tar_of(SAVED)))
    return ["plan", "it.tar"], "it.tar: is an image archive, not a recipe; give the JSON file that "


def a_directory_for_plan(directory: Path) -> tuple[list[object], str]:
    (directory / "layout").mkdir()
    return ["plan", "layout"], "layout: is a directory, not a recipe; give the JSON file that "


def several_images_for_export(directory: Path) -> tuple[list[object], str]:
    save(docker_save([IMAGE, sample("x", names=("other:2",))]), directory / "it.tar")
    said = "it.tar: contains 2 images that match: env/two:1; other:2; choose one by its name and tag (--name, --tag)"
    return ["export", "it.tar", "-o", "out.tar"], said


def a_recipe_of_another_version(directory: Path) -> tuple[list[object], str]:
    arguments = ["build", write_recipe(recipe(version=99), directory), "-o", "out.tar"]
    return arguments, "{}/recipe.json: recipe of version 99; this Lamina reads version 1: build the recipe again"


def an_output_without_a_place(directory: Path) -> tuple[list[object], str]:
    path = write_recipe(recipe(), directory)
    return ["build", path, "-o", "gone/out.tar"], "gone/out.tar: cannot be written: No such file or directory; "


def an_inspection_of_nothing(_: Path) -> tuple[list[object], str]:
    return ["inspect", "gone.tar"], "gone.tar: No such file or directory; give a file that can be read"


def a_verification_of_nothing(_: Path) -> tuple[list[object], str]:
    return ["verify", "gone.tar"], "gone.tar: No such file or directory; give a file that can be read"


def packing_what_is_not_there(_: Path) -> tuple[list[object], str]:
    return [
        "pack",
        "gone",
        "-o",
        "out.tar",
    ], "gone: not in the store; what goes to the root of an image must be a directory"


def a_recipe_outside_of_a_derivation(directory: Path) -> tuple[list[object], str]:
    return ["recipe", "-o", "out.json"], ".attrs.json: No such file or directory"


MISTAKES: list[Mistake] = [
    a_base_cut_short,
    a_packed_base_cut_short,
    a_base_that_is_none,
    a_base_that_is_no_tar,
    a_base_that_is_not_there,
    two_images_and_no_choice,
    a_choice_that_none_fits,
    a_layer_with_other_bytes,
    a_layer_too_few,
    a_layer_outside,
    a_link_outside,
    a_document_that_is_no_json,
    a_document_of_another_type,
    a_store_path_that_is_missing,
    a_name_that_deletes_files,
    a_recipe_that_is_not_there,
    a_recipe_that_is_no_json,
    a_recipe_cut_short,
    an_archive_for_build,
    a_packed_archive_for_plan,
    a_directory_for_plan,
    several_images_for_export,
    a_recipe_of_another_version,
    an_output_without_a_place,
    an_inspection_of_nothing,
    a_verification_of_nothing,
    packing_what_is_not_there,
    a_recipe_outside_of_a_derivation,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_in_the_input(mistake: Mistake, tmp_path: Path, lamina: Command) -> None:
    arguments, message = mistake(tmp_path)
    before = sorted(os.listdir(tmp_path))
    done = lamina(*arguments)
    assert done.returncode == 1
    assert done.stdout == b""
    assert re.fullmatch(rb"lamina: [^\x00-\x1f\x7f]+\n", done.stderr), "one line, and nothing that steers a terminal"
    assert done.stderr.decode().startswith("lamina: " + message.replace("{}", str(tmp_path)))
    assert sorted(os.listdir(tmp_path)) == before, "nothing is left behind"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bake",),
        ("build",),
        ("build", "recipe.json"),
        ("build", "recipe.json", "-o", "x", "--layout", "cubist"),
        ("build", "recipe.json", "-o", "x", "--compressor", "lzma"),
        ("build", "recipe.json", "-o", "x", "more"),
        ("inspect",),
        ("verify", "a", "b"),
        ("pack", "-o", "x"),
        ("pack", ".", "-o", "x", "--uid", "me"),
        ("pack", ".", "-o", "x", "--uid", "-1"),
        ("pack", ".", "-o", "x", "--gid", "4294967296"),
        ("pack", ".", ".", "-o", "x", "--keep-modes"),
        ("export", "it.tar", "-o", "x", "--mtime", "-5"),
        ("export", "it.tar", "-o", "x", "--mtime", "9223372036854775808"),
        ("export", "it.tar", "-o", "x", "--mtime", "1e5"),
    ],
    ids=" ".join,
)
def test_a_mistake_in_the_usage(arguments: tuple[str, ...], tmp_path: Path, lamina: Command) -> None:
    done = lamina(*arguments)
    assert (done.returncode, done.stdout, os.listdir(tmp_path)) == (2, b"", [])
    assert b"lamina" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspct", "x"), "lamina: error: unknown command inspct; did you mean inspect?"),
        (("bake",), "lamina: error: unknown command bake; the commands are: build, convert, "),
        (("-v",), "lamina: error: unknown option -v; did you mean --version?"),
        ((), "lamina: error: give a command; `lamina help` lists them"),
        (("load", "--too", "podman", "x"), "lamina load: error: unknown option --too; did you mean --to?"),
        (
            ("build", "x", "-o", "y", "--compresor=gz"),
            "lamina build: error: unknown option --compresor=gz; did you mean ",
        ),
        (("inspect", "a", "--nam", "b"), "lamina inspect: error: unknown option --nam; did you mean --name?"),
        (("inspect", "a", "--nam=b"), "lamina inspect: error: unknown option --nam=b; did you mean --name?"),
        (("build", "a", "--outp", "b"), "lamina build: error: unknown option --outp; did you mean --output?"),
        (("load", "--hel"), "lamina load: error: unknown option --hel; did you mean --help?"),
        (("--vers",), "lamina: error: unknown option --vers; did you mean --version?"),
        (("merge", "a"), "lamina merge: error: the following arguments are required: "),
        (("inspect", "a", "b"), "lamina inspect: error: unexpected argument b"),
        (
            ("load", "docker://redis"),
            "lamina load: error: argument IMAGE: docker://redis is not a file; copy it to one",
        ),
        (
            ("load", "docker-daemon:redis:7"),
            "lamina load: error: argument IMAGE: docker-daemon:redis:7 is not a file; copy it to one",
        ),
        (
            ("load", "oci:some/layout"),
            "lamina load: error: argument IMAGE: oci:some/layout is Skopeo's spelling; give the path alone",
        ),
        (("--as", "load-app", "load", "x", "--too"), "load-app: error: unknown option --too; did you mean --to?"),
    ],
    ids=" ".join,
)
def test_a_mistake_in_the_usage_gets_a_hint(arguments: tuple[str, ...], said: str, lamina: Command) -> None:
    done = lamina(*arguments)
    usage, _, last = done.stderr.decode().rstrip().rpartition("\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert last.startswith(said) and usage.startswith(f"usage: {said.partition(':')[0]} ")


def test_a_missing_file_may_have_the_name_of_a_transport(lamina: Command) -> None:
    done = lamina("inspect", "oci")
    assert (done.returncode, done.stderr) == (
        1,
        b"lamina: oci: No such file or directory; give a file that can be read\n",
    )


@pytest.mark.parametrize("command", [*COMMANDS, *INTERNAL_COMMANDS], ids=lambda command: command.name)
def test_help_has_an_example(command: CommandOfLamina, lamina: Command) -> None:
    for words in ([command.name, "--help"], [command.name, "-h"], ["help", command.name]):
        done = lamina(*words)
        assert done.returncode == 0 and f"example: lamina {command.name} " in done.stdout.decode()


@pytest.mark.parametrize(
    ("command", "default"), [("serve", "what the recipe says, or none"), ("push", "what the recipe says, or gz")]
)
def test_help_names_the_default_of_layer_compressor(command: str, default: str, lamina: Command) -> None:
    assert default in " ".join(lamina(command, "--help").stdout.decode().split())


def test_help_of_index_says_what_gets_an_annotation(lamina: Command) -> None:
    text = lamina("index", "--help").stdout.decode()
    assert "annotation of the index; descriptor:KEY=VALUE" in " ".join(text.split())


def test_help_lists_the_commands(lamina: Command) -> None:
    said = {lamina(*words).stdout for words in (["--help"], ["-h"], ["help"])}
    assert len(said) == 1
    [text] = said
    assert all(f"\n    {command.name} ".encode() in text for command in COMMANDS)
    assert not any(f"\n    {command.name} ".encode() in text for command in INTERNAL_COMMANDS)


@pytest.mark.parametrize(("verb", "hidden"), [("build", b"RECIPE"), ("load", b"IMAGE"), ("inspect", b"IMAGE")])
def test_a_program_for_one_image_has_its_own_usage(verb: str, hidden: bytes, lamina: Command) -> None:
    done = lamina("--as", "own-name", verb, "image.json", "--help")
    assert b"--tag" not in done.stdout and (b"--name" in done.stdout) == (verb == "build")
    assert done.stdout.startswith(b"usage: own-name [-h]") and b"\nexample: own-name " in done.stdout
    assert not any(word in done.stdout for word in (hidden, b"--output", b"lamina"))


def test_a_built_archive_is_found_sound(tmp_path: Path, lamina: Command) -> None:
    path = write_recipe(KINDS["on_a_compressed_base"](tmp_path), tmp_path)
    assert lamina("build", path, "-o", "out.tar").returncode == 0
    done = lamina("verify", "out.tar")
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.fullmatch(rb"sound: 1 image, 3 layers, \d+\.\d kB\n", done.stdout)
    assert b"docker.io/library/app:1" in lamina("inspect", "out.tar").stdout


def test_packing_a_directory(tmp_path: Path, lamina: Command) -> None:
    make_tree(tmp_path / "root", {"etc/motd": b"hi", "sub/x": b"y"})
    done = lamina("pack", "root", "-o", "layer.tar", "--uid", "5", "--gid", "6")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    infos = Opened.at(tmp_path / "layer.tar").infos
    assert [info.name for info in infos] == ["etc", "etc/motd", "sub", "sub/x"]
    assert {(info.uid, info.gid, info.mtime) for info in infos} == {(5, 6, 1)}


# Standard input, and terminals


@pytest.mark.parametrize("wrapper", ["plain", "gzip"])
@pytest.mark.parametrize("is_file", [True, False])
def test_an_archive_from_standard_input(wrapper: str, is_file: bool, tmp_path: Path) -> None:
    data = WRAPPERS[wrapper](tar_of(SAVED))
    (tmp_path / "it.tar").write_bytes(data)
    for command in (["verify", "-"], ["inspect", "-", "--json"], ["export", "-", "-o", "-"]):
        with (tmp_path / "it.tar").open("rb") as file:
            given: dict[str, Any] = {"stdin": file} if is_file else {"input": data}
            done = subprocess.run([sys.executable, "-m", "lamina", *command], capture_output=True, timeout=60, **given)
        named = [word if word != "-" else str(tmp_path / "it.tar") for word in command[:2]] + command[2:]
        expected = subprocess.run([sys.executable, "-m", "lamina", *named], capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == expected.stdout != b""


def test_a_recipe_from_standard_input(tmp_path: Path) -> None:
    path = write_recipe(recipe(root_layer(make_tree(tmp_path / "tree", {"a": b"a"}))), tmp_path)
    for command in (["build", "-", "-o", "-"], ["plan", "-"], ["verify", "-"]):
        words = [sys.executable, "-m", "lamina", *command]
        done = subprocess.run(words, input=path.read_bytes(), capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"") and done.stdout


@pytest.mark.parametrize("data", [b"", b"nonsense" * 300, b"{", tar_of(SAVED)[:3000]])
def test_what_is_no_image_on_standard_input(data: bytes) -> None:
    done = subprocess.run([sys.executable, "-m", "lamina", "inspect", "-"], input=data, capture_output=True, timeout=60)
    assert done.returncode == 1 and re.fullmatch(rb"lamina: standard input: .+\n", done.stderr)


def on_a_terminal(arguments: list[object], directory: Path, columns: int, **environment: str) -> tuple[int, bytes]:
    """Exit status, and what a terminal of that width gets from standard output and standard error."""
    main, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    words = [sys.executable, "-m", "lamina", *map(str, arguments)]
    variables = {key: value for key, value in os.environ.items() if key not in ("NIX_BUILD_TOP", "COLUMNS")}
    with subprocess.Popen(words, stdin=end, stdout=end, stderr=end, cwd=directory,
                          env={**variables, "TERM": "xterm", **environment}) as process:  # fmt: skip
        os.close(end)
        said = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while data := os.read(main, 1 << 16):
                said += data
        os.close(main)
    return process.returncode, said.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("command", ["build", "merge", "export"])
def test_an_archive_is_not_written_to_a_terminal(command: str, tmp_path: Path) -> None:
    path = write_recipe(recipe(), tmp_path)
    for more in ([], ["--compressor", "gz"] if command != "export" else []):
        status, said = on_a_terminal([command, path, "-o", "-", *more], tmp_path, 80)
        assert status == 2
        assert said.startswith(b"lamina: standard output: is a terminal; ")


def test_a_terminal_as_input_is_refused(tmp_path: Path) -> None:
    status, said = on_a_terminal(["inspect", "-"], tmp_path, 80)
    assert (status, said) == (
        2,
        b"lamina: standard input: a terminal; pipe an image into the command, or name a file\n",
    )


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A recipe that takes a second or so to pack."""
    trees = [make_tree(tmp_path / ("a-rather-long-name-" * 4 + name), {}) for name in "ab"]
    for tree in trees:
        with (tree / "data").open("wb") as file:
            file.truncate(300 << 20)
    return write_recipe(recipe(*map(root_layer, trees)), tmp_path)


@pytest.mark.parametrize("columns", [20, 50, 200])
def test_progress_fits_the_terminal(columns: int, slow: Path, tmp_path: Path) -> None:
    status, said = on_a_terminal(["verify", slow], tmp_path, columns)
    assert status == 0 and said.count(b"\x1b[K") > 2
    lines = said.decode().rpartition("\x1b[K")[0].split("\r\x1b[K")
    assert max(len(line.rstrip("\r")) for line in lines) < columns
    assert any(line.endswith("MB") for line in lines)


def test_a_dumb_terminal_gets_no_control_characters(slow: Path, tmp_path: Path) -> None:
    status, said = on_a_terminal(["verify", slow], tmp_path, 80, TERM="dumb")
    assert status == 0 and not re.search(rb"[\x00-\x09\x0b-\x1f]", said)


def test_a_plan_fits_the_terminal(slow: Path, tmp_path: Path) -> None:
    for columns in (60, 80):
        status, said = on_a_terminal(["plan", slow], tmp_path, columns)
        assert status == 0 and max(map(len, said.decode().splitlines())) <= columns


def test_the_last_line_of_verify_says_what_does_not_fit(tmp_path: Path) -> None:
    archive = save(docker_save([sample(names=())]), tmp_path / "it.tar")
    status, said = on_a_terminal(["verify", archive, "--for", "umoci,docker"], tmp_path, 200, TERM="dumb")
    *_, before_last, last = lines = said.decode().splitlines()
    assert status == 1 and any(line.startswith("sound: ") for line in lines)
    assert "; hurts " in before_last and last == "lamina: does not fit: umoci"
