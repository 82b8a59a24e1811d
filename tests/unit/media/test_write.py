"""Writing archives: to a file, to a pipe, compressed, over another, on a full disk, and killed on the way."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from lamina.data.compressors import COMPRESSORS
from lamina.errors import BadInput
from lamina.media.tarball import write
from tests.support.archives import docker_save, sample
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.needs import need_root
from tests.support.recipes import (
    LAYOUTS,
    archive_of,
    base,
    image_of,
    recipe,
    root_layer,
    save,
    store_layer,
    write_recipe,
)
from tests.support.trees import Store, make_tree

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gz": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_and_a_pipe_get_the_same_bytes(
    kind: str, layout: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    fields = KINDS[kind](tmp_path)
    written = archive_of(fields, tmp_path / "out.tar", layout).read_bytes()
    write([image_of(fields)], LAYOUTS[layout], "-")
    assert capsysbinary.readouterr().out == written


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_same_bytes(kind: str, tmp_path: Path) -> None:
    fields = KINDS[kind](tmp_path)
    one, two = (archive_of(fields, tmp_path / name) for name in ("one.tar", "two.tar"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("output", ["out.tar", "-"])
@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_command_writes_what_was_asked_for(
    layout: str, compressor: str, output: str, tmp_path: Path, lamina: Command
) -> None:
    fields = KINDS["on_a_compressed_base"](tmp_path)
    expected = archive_of(fields, tmp_path / "expected.tar", layout).read_bytes()
    path = write_recipe(fields, tmp_path)
    done = lamina("build", path, "-o", output, "--layout", layout, "--compressor", compressor)
    assert (done.returncode, done.stderr) == (0, b"")
    data = done.stdout if output == "-" else (tmp_path / output).read_bytes()
    assert UNPACK[compressor](data) == expected


def test_an_output_that_was_there_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.tar"
    path.write_bytes(b"x" * (1 << 20))
    fields = KINDS["one_layer"](tmp_path)
    assert archive_of(fields, path).read_bytes() == archive_of(fields, tmp_path / "new.tar").read_bytes()


def test_a_base_with_other_bytes_leaves_nothing(tmp_path: Path) -> None:
    pieces = docker_save([sample("below", "above")])
    layer = max(pieces, key=lambda piece: len(piece.data)).data
    fields = recipe(base=base(save(pieces, tmp_path / "base.tar")))
    data = (tmp_path / "base.tar").read_bytes()
    (tmp_path / "base.tar").write_bytes(data.replace(layer, layer[:512] + b"x" + layer[513:]))
    before = sorted(os.listdir(tmp_path))
    for compressor in COMPRESSORS:
        with pytest.raises(BadInput, match="the config says diff ID"):
            archive_of(fields, tmp_path / "out.tar", "universal", compressor)
        assert sorted(os.listdir(tmp_path)) == before


LARGE = 160 << 20


def large_recipe(directory: Path) -> Path:
    """An image that takes a while: two layers of zeros, which the source directory does not even store."""
    trees = [make_tree(directory / name, {f"zeros-{name}": b""}) for name in ("one", "two")]
    for tree in trees:
        os.truncate(tree / f"zeros-{tree.name}", LARGE // 2)
    return write_recipe(recipe(*map(root_layer, trees)), directory)


def written_so_far(process: subprocess.Popen[bytes]) -> int:
    """Bytes that the process and those that it has started have given to files: room is set aside before."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        everybody = [str(process.pid), *children.read_text().split()]
        content = [Path(f"/proc/{one}/io").read_text() for one in everybody]
    except OSError:
        return 0
    return sum(int(line.split()[1]) for text in content for line in text.splitlines() if line.startswith("wchar"))


@pytest.mark.parametrize("enough", [1, 8 << 20, 64 << 20], ids="after {} bytes".format)
@pytest.mark.parametrize("existed", [False, True], ids=["new", "over another"])
def test_a_kill_on_the_way_leaves_nothing(enough: int, existed: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if existed:
        (out / "out.tar").write_bytes(b"before")
    command = [sys.executable, "-m", "lamina", "build", str(large_recipe(tmp_path)), "-o", str(out / "out.tar")]
    with subprocess.Popen(command, start_new_session=True) as process:
        limit = time.monotonic() + 30
        while written_so_far(process) < enough and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.001)
        assert process.poll() is None, "it came to its end before it could be killed: make the image larger"
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert os.listdir(out) == (["out.tar"] if existed else [])
    if existed:
        assert (out / "out.tar").read_bytes() == b"before"


def small_disk(directory: Path, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script that may fill up `$DISK`, which has one megabyte and goes away with the script."""
    need_root()
    setup = (
        f"mount -t tmpfs -o size=1m tmpfs {shlex.quote(str(directory))} && export DISK={shlex.quote(str(directory))}\n"
    )
    return subprocess.run(["unshare", "-m", "sh", "-c", setup + script], capture_output=True, timeout=60)


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_a_disk_that_fills_up(compressor: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    tree = make_tree(tmp_path / "tree", {"noise": b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(100_000))})
    path = write_recipe(recipe(root_layer(tree)), tmp_path)
    command = shlex.join([sys.executable, "-m", "lamina", "build", str(path), "--compressor", compressor, "-o"])
    done = small_disk(disk, f'{command} "$DISK/out.tar"; status=$?; ls -A "$DISK"; exit $status')
    line = f"lamina: {disk}/out.tar: cannot be written: No space left on device; nothing was left behind\n"
    assert (done.stderr.decode(), done.returncode, done.stdout) == (line, 1, b"")


def test_a_disk_that_fills_up_while_a_base_is_unpacked(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    archive = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(100_000))
    (tmp_path / "base.tar.gz").write_bytes(gzip.compress(archive))
    command = shlex.join([sys.executable, "-m", "lamina", "inspect", str(tmp_path / "base.tar.gz")])
    done = small_disk(disk, f'TMPDIR="$DISK" {command}; status=$?; ls -A "$DISK"; exit $status')
    line = f"lamina: {tmp_path}/base.tar.gz: cannot be unpacked: No space left on device; make room in {disk}\n"
    assert (done.stderr.decode(), done.returncode, done.stdout) == (line, 1, b"")


def test_a_pipe_that_is_closed_is_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lamina", "build", str(large_recipe(tmp_path)), "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.read(10_000)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_store_path_that_is_deleted_meanwhile(store: Store, tmp_path: Path) -> None:
    path = store.add("going", {"f": b"x"})
    image = image_of(recipe(store_layer(path)))
    assert image.layers[0].blob.size
    (Path(path) / "f").unlink()
    with pytest.raises(BadInput, match=f"{path}/f: No such file or directory; the file vanished or may not be read"):
        write([image], LAYOUTS["universal"], str(tmp_path / "out.tar"))
    assert not (tmp_path / "out.tar").exists()
