"""An archive without the layers of another image: its bytes, and what every reading command says about it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.commands.main import main
from lamina.errors import BadInput
from lamina.media.absent import absent_layers
from lamina.media.thin import write_thin
from lamina.oci.digest import blob_path
from lamina.recipe.open import open_image
from lamina.report.verify import verify
from tests.support.needs import need
from tests.support.recipes import image_of, recipe, root_layer, tar_layer, write_recipe

GOLDEN = "24f383e6aec121e700813a81ec6a1df0685d0f383aa72983ba28af9a8c026921"


def layer_file(directory: Path, name: str, content: bytes) -> Path:
    """A tar with one file, the same bytes on every machine."""
    path = directory / f"{name}.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, list[str]], Path]:
    """A recipe with a layer for each letter."""

    def make(tag: str, letters: list[str]) -> Path:
        directory = tmp_path / tag
        directory.mkdir()
        layers = [tar_layer(layer_file(tmp_path, letter, letter.encode() * 70_000)) for letter in letters]
        return write_recipe(recipe(*layers, names=[{"name": "app", "tag": tag}]), directory)

    return make


Written = Callable[[str, list[str]], Path]


def build(new: Path, old: Path, output: Path, *options: str) -> int:
    return main(["build", str(new), "--against", str(old), "-o", str(output), *options])


@pytest.fixture
def update(written: Written, tmp_path: Path) -> Path:
    """Of an image of the layers a, b and d, against one of a, b and c."""
    output = tmp_path / "update.tar"
    assert build(written("2", ["a", "b", "d"]), written("1", ["a", "b", "c"]), output) == 0
    return output


def test_it_has_only_the_new_layer_and_always_the_same_bytes(update: Path, written: Written, tmp_path: Path) -> None:
    image = open_image(update)
    with tarfile.open(update) as archive:
        names = archive.getnames()
    assert [blob_path(diff_id) in names for diff_id in image.diff_ids] == [False, False, True]
    assert len(absent_layers(image)) == 2
    assert hashlib.sha256(update.read_bytes()).hexdigest() == GOLDEN


def test_old_may_be_an_archive_a_layout_or_an_update_itself(update: Path, written: Written, tmp_path: Path) -> None:
    new, old = tmp_path / "2/recipe.json", tmp_path / "1/recipe.json"
    assert main(["build", str(old), "-o", str(tmp_path / "old.tar")]) == 0
    assert main(["build", str(old), "-o", str(tmp_path / "layout"), "--format", "oci-layout"]) == 0
    for number, form in enumerate(("old.tar", "layout")):
        assert build(new, tmp_path / form, tmp_path / f"{number}.tar") == 0
        assert (tmp_path / f"{number}.tar").read_bytes() == update.read_bytes()
    newest = written("3", ["a", "b", "d", "e"])
    assert build(newest, update, tmp_path / "next.tar") == 0
    assert len(absent_layers(open_image(tmp_path / "next.tar"))) == 3


def test_a_pipe_and_a_compressed_file_have_the_same_bytes(update: Path, tmp_path: Path) -> None:
    new, old = tmp_path / "2/recipe.json", tmp_path / "1/recipe.json"
    assert build(new, old, tmp_path / "update.tar.zst", "--compressor", "zstd", "--check") == 0
    assert open_image(tmp_path / "update.tar.zst").diff_ids == open_image(update).diff_ids


def test_only_a_common_beginning_is_left_out(written: Written, tmp_path: Path) -> None:
    """Docker's classic store finds no layer above a changed one, nor one of the lowest that occurs again above."""
    old, output = written("1", ["a", "b", "c"]), tmp_path / "out.tar"
    for tag, letters, expected in (("2", "adc", "a"), ("3", "abda", "b"), ("4", "abc", "abc"), ("5", "ab", "ab")):
        assert build(written(tag, list(letters)), old, output) == 0
        image = open_image(output)
        absent = absent_layers(image)
        left_out = {letter for letter, diff_id in zip(letters, image.diff_ids, strict=True) if diff_id in absent}
        assert left_out == set(expected)


def test_nothing_in_common_gives_the_complete_archive(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, output = written("2", ["b", "a"]), tmp_path / "out.tar"
    assert build(new, written("1", ["a", "b"]), output) == 0
    assert "is complete: its lowest layer is not in app:1" in capsys.readouterr().out
    assert main(["build", str(new), "-o", str(tmp_path / "whole.tar")]) == 0
    assert output.read_bytes() == (tmp_path / "whole.tar").read_bytes()


def test_verify_reads_what_is_there_and_lists_what_is_not(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["verify", str(update)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("sound: 1 image, 1 layer,")
    assert len(out) == 3 and all(line.endswith("left out by design: the daemon must have app:1") for line in out[1:])
    assert main(["verify", str(update), "--for", "docker"]) == 1
    assert (
        "leaves out layers, so what consumers need cannot be checked; check the whole image" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "-o", "{out}"),
        ("convert", "-o", "{out}", "--format", "oci-archive"),
        ("export", "-o", "{out}"),
        ("inspect",),
        ("serve", "--listen", "127.0.0.1:0"),
        ("push", "docker://127.0.0.1:9/app:1", "--dry-run"),
        ("diff", "{old}"),
        ("report", "-o", "{out}"),
        ("sbom", "-o", "{out}"),
    ],
)
def test_who_needs_an_absent_layer_says_so(
    command: tuple[str, ...], update: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command[0] == "push":
        need("skopeo", "skopeo")
    output = tmp_path / "out"
    capsys.readouterr()
    assert (
        main(
            [
                command[0],
                str(update),
                *(word.format(out=output, old=tmp_path / "1/recipe.json") for word in command[1:]),
            ]
        )
        == 1
    )
    [line] = capsys.readouterr().err.splitlines()
    assert "the archive leaves out this layer of app:1; use the whole image" in line
    assert not output.exists()


def test_as_a_base_it_is_refused(update: Path, tmp_path: Path) -> None:
    fields = recipe(root_layer(), base={"path": str(update), "name": None, "tag": None})
    with pytest.raises(BadInput, match="the archive leaves out this layer of app:1"):
        image_of(fields)


def test_podman_needs_one_name(written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = written("1", ["a"])
    image = json.loads(old.read_text())
    image["names"].append({"name": "app", "tag": "other"})
    new = tmp_path / "two.json"
    new.write_text(json.dumps(image))
    assert build(new, old, tmp_path / "out.tar") == 1
    assert "has several names: app:1, app:other; choose one by its name" in capsys.readouterr().err
    assert build(new, old, tmp_path / "out.tar", "--name", "app:3") == 0


@pytest.mark.parametrize("option", [("--format", "oci-archive"), ("--layer-compressor", "gz"), ("--annotation", "a=b")])
def test_other_forms_are_refused(
    option: tuple[str, str], written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(written("2", ["a"]), written("1", ["a"]), tmp_path / "out.tar", *option) == 2
    assert f"{option[0]}: does not go with --against" in capsys.readouterr().err


def test_another_architecture_is_refused(written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = written("1", ["a"])
    old.write_text(old.read_text().replace('"amd64"', '"arm64"'))
    assert build(written("2", ["a"]), old, tmp_path / "out.tar") == 1
    assert "contains no image for linux/amd64" in capsys.readouterr().err


def test_a_failure_leaves_no_output(written: Written, tmp_path: Path) -> None:
    new, old = written("2", ["a", "d"]), written("1", ["a"])
    (tmp_path / "d.tar").unlink()
    assert build(new, old, tmp_path / "out.tar") == 1
    assert not (tmp_path / "out.tar").exists()


def altered(update: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with other contents of its members; None removes one."""
    output = update.with_name("altered.tar")
    with tarfile.open(update) as source, tarfile.open(output, "w") as target:
        for info in source:
            file = source.extractfile(info)
            data = change(info.name, file.read()) if file else b""
            if data is not None:
                info.size = len(data)
                target.addfile(info, io.BytesIO(data))
    return output


def test_a_layer_that_the_needed_image_has_not_is_missing(update: Path) -> None:
    """Also one whose size is another than the needed image says, for both sides of the archive."""
    top = blob_path(open_image(update).diff_ids[-1])
    broken = altered(update, lambda name, data: None if name == top else data)
    with pytest.raises(BadInput, match="is missing, and is no layer of app:1, which the archive needs"):
        open_image(broken)
    assert verify(broken).problems


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"lamina.needs.image":"app:1"', b'"lamina.needs.image":17'),
        (b'"lamina.needs.image":"app:1",', b""),
        (b'"lamina.needs.manifest":"sha256:', b'"lamina.needs.manifest":"../../'),
        (b'"lamina.needs.manifest":"sha256:', b'"lamina.needs.manifest":"sha256:00'),
    ],
)
def test_a_hostile_note_is_an_error_of_one_line(
    old: bytes, new: bytes, update: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(name: str, data: bytes) -> bytes:
        if name == "index.json":
            assert old in data
            return data.replace(old, new)
        return data

    broken = altered(update, change)
    capsys.readouterr()
    assert main(["inspect", str(broken)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_manifest_than_its_digest_says_is_refused(update: Path) -> None:
    broken = altered(update, lambda name, data: data.replace(b"71680", b"71681") if "blobs" in name else data)
    with pytest.raises(BadInput, match="its bytes are not those of its digest"):
        open_image(broken)


def test_the_result_says_what_is_left_out(written: Written, tmp_path: Path) -> None:
    new, old = open_image(written("2", ["a", "b"])), open_image(written("1", ["a"]))
    written_thin = write_thin(new, old, str(tmp_path / "out.tar"))
    assert (written_thin.layers, written_thin.needed) == (1, "app:1")
    assert written_thin.size == new.layers[0].size
