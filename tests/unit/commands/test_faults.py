"""What happens when the machine fails: a kill, a full disk, files that change or vanish while they are read."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.commands.main import main
from lamina.data import output
from lamina.data.span import Span
from lamina.errors import BadInput
from lamina.image import reading
from lamina.store import root_tree, tree_blob
from lamina.store.ownership import Stamp
from lamina.store.tree import store_items
from lamina.store.tree_blob import TreeBlob
from tests.support.archives import docker_save, sample, tar_of
from tests.support.needs import absent, need_root
from tests.support.recipes import archive_of, base, recipe, root_layer, store_layer, write_recipe
from tests.support.selection import thorough
from tests.support.trees import Link, Store, make_tree


@attrs.frozen
class Bench:
    """Directories of one test: what is built, where the output goes, and all that a run might leave behind."""

    top: Path

    @property
    def out(self) -> Path:
        return self.top / "out"

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "XDG_CACHE_HOME": str(self.top / "cache"), "TMPDIR": str(self.top / "tmp")}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "lamina", *map(str, arguments)]

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(*arguments), env=self.environment, stdout=pipe, stderr=pipe)

    def left_over(self) -> list[str]:
        """What lies about besides the output: nothing should."""
        cache = [str(path) for path in (self.top / "cache").rglob(".*")]
        return [*cache, *os.listdir(self.top / "tmp"), *(name for name in os.listdir(self.out) if name != "image.tar")]


@pytest.fixture
def bench(tmp_path: Path, store: Store) -> Bench:
    """A recipe with a base that is unpacked to a temporary file, and layers of each kind."""
    for name in ("out", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "base.tar.gz").write_bytes(gzip.compress(tar_of(docker_save([sample("below")])), mtime=0))
    files = {f"share/f{number}": os.urandom(30_000) for number in range(40)}
    layers = [store_layer(store.add("one", files)), root_layer(make_tree(tmp_path / "tree", {"etc/motd": b"hello"}))]
    write_recipe(recipe(*layers, base=base(tmp_path / "base.tar.gz")), tmp_path)
    return Bench(tmp_path)


def fork(words: Sequence[str]) -> int:
    """`lamina` in a process of its own that has no Python to start, so that kills hit what it does after that."""
    process = os.fork()
    if process:
        return process
    try:
        os._exit(main(words))
    finally:
        os._exit(99)


def by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on three processes read every layer together, in many small pieces."""
    monkeypatch.setattr("lamina.image.workers._WORTH_FORKING", 0)
    monkeypatch.setattr("lamina.image.workers.processors", lambda: 3)
    monkeypatch.setattr("lamina.image.reading._large", lambda weights, _: list(weights))
    monkeypatch.setattr("lamina.image.reading._PIECE", 32 << 10)
    monkeypatch.setattr("lamina.store.sections._SECTION", 50_000)


@pytest.mark.parametrize("kills", [25, pytest.param(100, marks=thorough)])
@pytest.mark.parametrize("several", [False, True], ids=["one-process", "several-processes"])
def test_a_kill_at_any_time_leaves_all_or_nothing(
    several: bool, kills: int, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed that many times, anywhere between its start and its end; every other time there is an output from before.

    Killed between the two calls that put a file in the place of another, a run leaves a hidden name (`output._name`).
    """
    image = bench.out / "image.tar"
    hidden = output._hidden("image.tar")
    build = ("build", str(bench.top / "recipe.json"), "-o", str(image))
    for name in ("XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, bench.environment[name])
    assert main(build) == 0
    whole = image.read_bytes()
    if several:
        by_several_processes(monkeypatch)
    chance = random.Random(1)
    killed, longest = 0, 0.0
    while killed < kills:
        before = b"from before" if killed % 2 else None
        image.unlink(missing_ok=True)
        if before:
            image.write_bytes(before)
        if killed % 3 == 0:
            shutil.rmtree(bench.top / "cache", ignore_errors=True)
        started = time.monotonic()
        process = fork(build)
        if longest:
            time.sleep(chance.uniform(0, longest))
            os.kill(process, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert status in (0, -signal.SIGKILL)
        there = image.read_bytes() if image.exists() else None
        assert there == whole or (there == before and status), f"after {killed} kills"
        left = bench.left_over()
        assert left in ([], [hidden]), f"after {killed} kills"
        assert not left or (bench.out / hidden).read_bytes() == whole
        # However busy the machine is at the moment: longer while all are killed, as long as it takes when one is not.
        longest = longest * 1.1 if status else time.monotonic() - started
        killed += status != 0
    assert bench.start(*build).wait(60) == 0
    assert image.read_bytes() == whole
    assert bench.left_over() == []


@pytest.mark.parametrize("name", ["image.tar", "i" * 255])
def test_what_a_kill_left_in_the_moment_of_naming_goes_with_the_next_run(name: str, tmp_path: Path) -> None:
    """Killed between the two calls that put a file in the place of another, a run leaves a hidden name."""
    from lamina.data.output import whole_file

    path = tmp_path / name
    path.write_bytes(b"from before")
    process = os.fork()
    if process == 0:
        os.replace = lambda *_: os._exit(9)
        with whole_file(path) as file:
            file.write(b"killed")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    assert len(os.listdir(tmp_path)) == 2 and path.read_bytes() == b"from before"
    with whole_file(path) as file:
        file.write(b"content")
    assert os.listdir(tmp_path) == [name] and path.read_bytes() == b"content"


def one_line(said: bytes, match: str) -> None:
    assert re.fullmatch(rb"lamina: [^\x00-\x1f\x7f]+\n", said), said
    assert re.search(match, said.decode()), said


FULL = r"""
mount -t tmpfs -o size="$1" tmpfs "$2" || exit 77
shift; full=$1; shift
"$@"; status=$?
ls -A "$full"
exit $status
"""


def on_a_small_disk(bench: Bench, size: str, place: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command while `place` is a file system of that size; then its standard output lists what is there."""
    need_root()
    (bench.top / place).mkdir(exist_ok=True)
    words = ["unshare", "-m", "sh", "-c", FULL, "sh", size, str(bench.top / place), *bench.command(*arguments)]
    done = subprocess.run(words, env=bench.environment, capture_output=True, timeout=60)
    if done.returncode == 77:
        absent("this system does not let us mount")
    return done


@pytest.mark.parametrize("compressor", ["none", "gz", "zstd"])
@pytest.mark.parametrize("size", ["64k", "600k"])
def test_a_disk_that_is_full(size: str, compressor: str, bench: Bench) -> None:
    build = ("build", bench.top / "recipe.json", "-o", bench.out / "image.tar", "--compressor", compressor)
    done = on_a_small_disk(bench, size, "out", *build)
    assert (done.returncode, done.stdout) == (1, b""), "nothing is left behind"
    one_line(done.stderr, r"out/image.tar: cannot be written: No space left on device; nothing was left behind$")
    entries = [json.loads(path.read_bytes()) for path in (bench.top / "cache").rglob("*") if path.is_file()]
    assert all("diffId" in entry for entry in entries) and bench.left_over() == []


def test_a_disk_that_is_full_where_a_base_is_unpacked(bench: Bench) -> None:
    build = ("build", bench.top / "recipe.json", "-o", bench.out / "image.tar")
    done = on_a_small_disk(bench, "4k", "tmp", *build)
    assert (done.returncode, done.stdout) == (1, b"")
    one_line(done.stderr, rf"base.tar.gz: cannot be unpacked: No space left on device; make room in {bench.top}/tmp$")


def test_a_disk_that_is_full_where_digests_are_remembered(bench: Bench) -> None:
    """Nothing is remembered, and that is all."""
    build = ("build", bench.top / "recipe.json", "-o", bench.out / "image.tar")
    done = on_a_small_disk(bench, "4k", "cache", *build)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (bench.out / "image.tar").stat().st_size > 1_000_000


def test_a_file_that_may_not_grow_so_large(bench: Bench) -> None:
    words = bench.command("build", bench.top / "recipe.json", "-o", bench.out / "image.tar")
    limit = 400_000
    done = subprocess.run(
        words,
        env=bench.environment,
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (done.returncode, done.stdout) == (1, b"")
    one_line(done.stderr, "out/image.tar: cannot be written: File too large; nothing was left behind$")
    assert bench.left_over() == [] and os.listdir(bench.out) == []


@pytest.mark.parametrize(
    "words",
    [
        "build recipe.json -o -",
        "build recipe.json -o - --compressor gz",
        "build recipe.json -o - --compressor zstd",
        "inspect recipe.json",
        "inspect base.tar.gz --json",
        "verify base.tar.gz",
        "verify base.tar.gz --json",
        "plan recipe.json",
        "plan recipe.json --json",
        "--version",
        "--help",
        "help build",
        "export --help",
    ],
)
def test_a_standard_output_that_is_full(words: str, bench: Bench) -> None:
    command = [word if "." not in word else str(bench.top / word) for word in words.split()]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            bench.command(*command), env=bench.environment, stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 1
    one_line(done.stderr, "No space left on device")


def test_a_reader_that_goes_away(bench: Bench) -> None:
    """As in `lamina build recipe.json -o - | head -c 1`: no word, since whoever went away knows."""
    process = bench.start("build", bench.top / "recipe.json", "-o", "-")
    assert process.stdout and process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


# Files that change while they are read: the size was taken before.


def changing(path: str, change: str) -> Iterator[bytes]:
    blob = TreeBlob.of(store_items([path], Stamp()))
    victim = Path(path, "f")
    if change == "grows":
        with victim.open("ab") as file:
            file.write(b"more")
    elif change == "shrinks":
        os.truncate(victim, victim.stat().st_size // 2)
    elif change == "becomes a link":
        victim.unlink()
        victim.symlink_to("/etc/passwd")
    else:
        victim.unlink()
    return blob.chunks()


CHANGES = {
    "grows": "changed its size while it was read; run again when nothing writes there",
    "shrinks": "changed its size while it was read; run again when nothing writes there",
    "vanishes": "No such file or directory; the file vanished or may not be read",
    "becomes a link": "Too many levels of symbolic links; the file vanished or may not be read",
}


@pytest.mark.parametrize(
    ("change", "size"),
    [(change, size) for change in CHANGES for size in (0, 1, 1000, 3 << 20) if size or change != "shrinks"],
)
def test_a_file_that_changes_before_it_is_opened(change: str, size: int, store: Store) -> None:
    path = store.add("one", {"f": bytes(size)})
    with pytest.raises(BadInput, match=f"{path}/f: {CHANGES[change]}"):
        list(changing(path, change))


@pytest.mark.parametrize("change", ["grows", "shrinks"])
def test_a_file_that_changes_between_two_reads(change: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read is real; only the moment of the change is arranged."""
    path = store.add("one", {"f": bytes(3 << 20)})
    victim = Path(path, "f")
    real = os.pread
    reads = 0

    def read(descriptor: int, size: int, position: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == 2:
            os.truncate(victim, (4 << 20) if change == "grows" else (1 << 20) + 5)
        return real(descriptor, size, position)

    monkeypatch.setattr("lamina.data.span.os.pread", read)
    with pytest.raises(BadInput, match=f"{path}/f: changed its size while it was read"):
        list(TreeBlob.of(store_items([path], Stamp())).chunks())


@pytest.mark.parametrize("size", [(4 << 20), (1 << 20) + 5], ids=["grows", "shrinks"])
def test_a_file_that_changes_while_it_goes_into_a_pipe(size: int, store: Store) -> None:
    path = store.add("one", {"f": bytes(3 << 20)})
    with pytest.raises(BadInput, match=f"{path}/f: changed its size while it was read"):
        for piece in TreeBlob.of(store_items([path], Stamp())).pieces():
            if isinstance(piece, Span):
                os.truncate(piece.name, size)


def build_with(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, happen: Callable[[bytes], None], *options: str
) -> tuple[int, list[str]]:
    """Build by several processes. `happen` is called in one of them before it opens the file `f20`."""
    by_several_processes(monkeypatch)
    real = tree_blob._open

    def opened(source: bytes) -> int:
        if source.endswith(b"/f20"):
            happen(source)
        return real(source)

    monkeypatch.setattr(tree_blob, "_open", opened)
    for name in ("XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, bench.environment[name])
    status = main(["build", str(bench.top / "recipe.json"), *(options or ("-o", str(bench.out / "image.tar")))])
    return status, os.listdir(bench.out)


def remembered(bench: Bench) -> list[str]:
    """The diff IDs in the cache."""
    return [json.loads(path.read_bytes())["diffId"] for path in (bench.top / "cache").rglob("*") if path.is_file()]


def test_several_processes_write_what_one_writes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = archive_of(json.loads((bench.top / "recipe.json").read_bytes()), bench.top / "alone.tar").read_bytes()
    cut = reading._cut
    pieces: list[int] = []

    def counted(*given: Any) -> list[Any]:
        made = list(cut(*given))
        pieces.append(len(made))
        return made

    monkeypatch.setattr(reading, "_cut", counted)
    assert build_with(bench, monkeypatch, lambda _: None) == (0, ["image.tar"])
    assert (bench.out / "image.tar").read_bytes() == whole
    digests = remembered(bench)
    shutil.rmtree(bench.top / "cache")
    assert build_with(bench, monkeypatch, lambda _: None, "-o", "/dev/null")[0] == 0
    assert sorted(remembered(bench)) == sorted(digests) and len(digests) == 2
    assert len(pieces) == 2 and min(pieces) > 24, "the layer is read in pieces, for the file and for the digests"


@pytest.mark.parametrize("target", ["file", "digests"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_several_processes_read_a_layer(
    change: str, target: str, bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def happen(source: bytes) -> None:
        victim = Path(os.fsdecode(source))
        if change in ("grows", "shrinks"):
            os.truncate(victim, 30_001 if change == "grows" else 29_999)
        else:
            victim.unlink(missing_ok=True)  # a file that belongs to two pieces is opened twice
        if change == "becomes a link":
            victim.symlink_to("/etc/passwd")

    options = () if target == "file" else ("-o", "/dev/null")
    assert build_with(bench, monkeypatch, happen, *options) == (1, [])
    # A process that looks for the files of a section again finds others than the one that measured it.
    looked_again = "this, or a file after it, has changed while the layer was read"
    one_line(capfd.readouterr().err.encode(), f"share/f20: {CHANGES[change]}|-one[^:]*: {looked_again}")
    assert bench.left_over() == []


def test_a_worker_that_is_killed_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def happen(_: bytes) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    assert build_with(bench, monkeypatch, happen) == (1, [])
    one_line(capfd.readouterr().err.encode(), "a process of Lamina: was killed; check that there is enough memory")
    assert bench.left_over() == []


def test_a_directory_that_vanishes_while_it_is_walked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.add("one", {"d/f": b"x"})
    real = os.scandir

    def scandir(directory: bytes) -> Any:
        if directory.endswith(b"/d"):
            os.unlink(directory + b"/f")
            os.rmdir(directory)
        return real(directory)

    monkeypatch.setattr("lamina.store.tree.os.scandir", scandir)
    with pytest.raises(BadInput, match=f"{path}/d: No such file or directory"):
        store_items([path], Stamp())


def test_a_file_that_may_not_be_read(store: Store) -> None:
    path = store.add("one", {"f": b"x"})
    Path(path, "f").chmod(0)
    blob = TreeBlob.of(store_items([path], Stamp()))
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(BadInput, match=f"{path}/f: Permission denied; the file vanished or may not be read"):
            list(blob.chunks())
    finally:
        os.seteuid(before)


def test_links_that_lead_to_each_other_crosswise(tmp_path: Path) -> None:
    """Forty directories with two links each to the next would become 2**40 directories."""
    for number in range(40):
        (tmp_path / f"tree/d{number:02}").mkdir(parents=True)
        for name in ("a", "b") if number else ():
            (tmp_path / f"tree/d{number - 1:02}/{name}").symlink_to(tmp_path / f"tree/d{number:02}")
    with pytest.raises(BadInput, match="tree: links to directories show more than 1000 files several times; remove"):
        few_repeats(tmp_path / "tree")


def few_repeats(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(root_tree, "ROOT_REPEATS", 1000)
        root_tree.root_items([str(path)], Stamp())


def test_a_directory_that_two_links_lead_to_is_there_three_times(tmp_path: Path) -> None:
    made = make_tree(tmp_path / "tree", {"d/f": b"x", "a": Link("d"), "b": Link("d")})
    assert [item.member.name for item in root_tree.root_items([str(made)], Stamp())] == [
        b"a", b"a/f", b"b", b"b/f", b"d", b"d/f",
    ]  # fmt: skip


def test_two_builds_write_the_same_output(bench: Bench) -> None:
    """Both whole: each ends well, and what is there are the bytes that one alone makes."""
    build = ("build", bench.top / "recipe.json", "-o", bench.out / "image.tar")
    processes = [bench.start(*build) for _ in range(4)]
    assert [process.communicate(timeout=60) for process in processes] == [(b"", b"")] * 4
    assert [process.returncode for process in processes] == [0] * 4
    fields = json.loads((bench.top / "recipe.json").read_bytes())
    assert (bench.out / "image.tar").read_bytes() == archive_of(fields, bench.top / "alone.tar").read_bytes()
    assert bench.left_over() == []
