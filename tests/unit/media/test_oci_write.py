"""OCI layouts and archives as they are written: whole or not at all, the same every time."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lamina.errors import BadUsage, LaminaError
from lamina.image.encoding import LayerEncoding
from lamina.media.write import write
from lamina.oci.digest import sha256
from lamina.report.verify import verify
from tests.support.archives import oci_platforms, sample
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import image_of, recipe, root_layer, save, store_layer, write_recipe
from tests.support.trees import Store

FORMATS = ("oci-archive", "oci-layout")
COMPRESSORS = ("gz", "zstd", "zstd:chunked", "none")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files_in(path: Path) -> dict[str, bytes]:
    """The files of a layout, or of an archive."""
    if path.is_dir():
        return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with tarfile.open(path, "r:") as archive:
        return {info.name: archive.extractfile(info).read() for info in archive if info.isreg()}  # type: ignore[union-attr]


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("kind", ["store_and_root", "with_two_equal_layers", "on_a_compressed_base", "without_names"])
def test_layout_and_archive_have_the_same_files(kind: str, compressor: str, tmp_path: Path) -> None:
    """And each blob has its digest for a name; a second time, from remembered digests, nothing is different."""
    image = image_of(KINDS[kind](tmp_path))
    found = []
    for number in range(2):
        for form in FORMATS:
            path = tmp_path / f"{number}.{form}"
            write(image, path, format=form, layer_compressor=compressor)
            found.append(files_in(path))
            assert verify(path).problems == ()
    assert all(each == found[0] for each in found)
    blobs = {name: data for name, data in found[0].items() if name.startswith("blobs/")}
    assert all(name == f"blobs/sha256/{sha256(data)[7:]}" for name, data in blobs.items())
    assert found[0].keys() - blobs.keys() == {"index.json", "oci-layout"}


def test_directories_come_before_their_contents(tmp_path: Path) -> None:
    write(image_of(KINDS["one_layer"](tmp_path)), tmp_path / "out.tar", format="oci-archive")
    with tarfile.open(tmp_path / "out.tar") as archive:
        names = archive.getnames()
        assert {(info.mtime, info.uid, info.gid, info.uname) for info in archive} == {(1, 0, 0, "")}
    assert names[:4] == ["oci-layout", "index.json", "blobs", "blobs/sha256"]


def test_to_a_pipe_and_to_a_file_the_bytes_are_the_same(lamina: Command, tmp_path: Path) -> None:
    path = write_recipe(KINDS["store_and_root"](tmp_path), tmp_path)
    words = ("--format", "oci-archive", "--layer-compressor", "zstd")
    assert lamina("build", path, "-o", "out.tar", *words).returncode == 0
    streamed = lamina("build", path, "-o", "-", *words)
    assert (streamed.returncode, streamed.stderr) == (0, b"")
    assert streamed.stdout == (tmp_path / "out.tar").read_bytes()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_many_layers_in_several_processes(form: str, compressor: str, tmp_path: Path) -> None:
    """40 MB of layers are more than one process works on."""
    store = Store(tmp_path / "nix" / "store")
    zeros = bytes(4 << 20)
    paths = [store.add(f"p{number}", {"file": zeros + b"%d" % number}) for number in range(10)]
    fields = recipe(*(store_layer(path) for path in paths))
    for layer in fields["layers"]:
        layer["paths"][0]["narSize"] = 4 << 20
    write(image_of(fields), tmp_path / "out", format=form, layer_compressor=compressor)
    verdict = verify(tmp_path / "out")
    assert (verdict.problems, verdict.layers) == ((), 10)


def test_a_layout_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    image = image_of(KINDS["one_layer"](tmp_path))
    write(image, tmp_path / "out", format="oci-layout")
    with pytest.raises(LaminaError, match="exists and is not an empty directory; remove it"):
        write(image, tmp_path / "out", format="oci-layout")
    with pytest.raises(BadUsage, match="an OCI layout is a directory"):
        write(image, "-", format="oci-layout")


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_left_of_an_output_that_fails(form: str, tmp_path: Path) -> None:
    """A file of the closure is missing when its layer is read."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"x" * 100_000)
    image = image_of(recipe(root_layer(tree)))
    (tree / "file").unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(LaminaError):
        write(image, tmp_path / "out", format=form)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_one_line(form: str, tmp_path: Path) -> None:
    """The process may write files of at most 64 kB."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(os.urandom(1 << 20))
    path = write_recipe(recipe(root_layer(tree)), tmp_path)
    command = [sys.executable, "-m", "lamina", "build", str(path), "-o", "out", "--format", form]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, preexec_fn=limit, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "File too large" in done.stderr
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".lamina-*"))


def test_formats_refuse_what_they_cannot_hold(tmp_path: Path) -> None:
    image = image_of(KINDS["one_layer"](tmp_path))
    with pytest.raises(BadUsage, match="universal has plain layers"):
        write(image, tmp_path / "out", layer_compressor="gz")
    with pytest.raises(BadUsage, match="leave it out"):
        write(image, tmp_path / "out", format="oci-archive", compressor="gz")
    with pytest.raises(BadUsage, match="zstd has no level 9; use a level from 1 to 3"):
        LayerEncoding("zstd", 9)
    with pytest.raises(BadUsage, match="without a compressor"):
        write(image, tmp_path / "out", format="oci-archive", layer_level=3)


def test_convert_between_forms(lamina: Command, tmp_path: Path) -> None:
    """Whatever it goes through, an image keeps its ID, and what is compressed keeps the manifest's digest."""
    path = write_recipe(KINDS["store_and_root"](tmp_path), tmp_path)
    digest = lamina("digest", path).stdout
    before = path
    for number, form in enumerate(("oci-layout", "universal", "oci-archive")):
        after = tmp_path / f"{number}.{form}"
        done = lamina("convert", before, "-o", after, "--format", form)
        assert (done.returncode, done.stderr) == (0, b"")
        assert lamina("digest", after).stdout == digest
        before = after
    report = json.loads(lamina("digest", before, "--json").stdout)
    assert report["manifest"]["digest"].encode() == digest.strip()
    assert [layer["mediaType"][-5:] for layer in report["layers"]] == ["+gzip", "+gzip"]


def test_an_index_is_made_and_one_platform_taken_from_it(lamina: Command, tmp_path: Path) -> None:
    fields = KINDS["store_and_root"](tmp_path)
    one = write_recipe(fields, tmp_path)
    other = tmp_path / "arm64.json"
    other.write_text(json.dumps(fields | {"architecture": "arm64"}))
    assert lamina("index", one, other, "-o", "both.tar", "-t", "team/app:2").returncode == 0
    done = lamina("convert", "both.tar", "-o", "arm64.tar", "--platform", "linux/arm64")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = lamina("inspect", "arm64.tar").stdout.decode()
    assert "docker.io/team/app:2" in shown and "linux/arm64" in shown
    assert b"is for linux/amd64, and so is" in lamina("index", one, one, "-o", "x.tar").stderr
    lost = lamina("convert", "both.tar", "-o", "x.tar", "--platform", "riscv64")
    assert lost.returncode == 1 and b"it contains: linux/amd64, linux/arm64" in lost.stderr


def test_convert_gives_a_name(lamina: Command, tmp_path: Path) -> None:
    path = write_recipe(KINDS["one_layer"](tmp_path), tmp_path)
    assert lamina("convert", path, "-o", "out.tar", "--as", "team/other:3").returncode == 0
    assert b"docker.io/team/other:3" in lamina("inspect", "out.tar").stdout


def test_convert_keeps_all_platforms(lamina: Command, tmp_path: Path) -> None:
    images = [sample("below", architecture=each) for each in ("amd64", "arm64")]
    save(oci_platforms(images), tmp_path / "index.tar")
    assert lamina("convert", "index.tar", "-o", "layout", "--format", "oci-layout").returncode == 0
    report = json.loads(lamina("digest", "layout", "--json").stdout)
    assert [each["platform"]["architecture"] for each in report["manifests"]] == ["amd64", "arm64"]
