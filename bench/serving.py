"""`lamina serve` beside nginx, and into daemons beside their own ways."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.file_server import nginx
from bench.measure import sampled
from bench.registry_setting import Bench, row, table, timed, within
from tests.support.builds import COMMAND
from tests.support.consumers import roots
from tests.support.consumers.adapters import KINDS, opened
from tests.support.consumers.base import in_background
from tests.support.consumers.loading import loader_for
from tests.support.consumers.transfer import pull

PULLS = 16


def pulls(urls: list[str]) -> float:
    """Seconds in which all clients have read everything."""
    words = ["curl", "-sSf", *(word for url in urls for word in ("-o", "/dev/null", url))]
    begin = time.perf_counter()
    clients = [subprocess.Popen(words) for _ in range(PULLS)]
    statuses = [client.wait(1200) for client in clients]
    assert not any(statuses), statuses
    return time.perf_counter() - begin


def serving(bench: Bench) -> tuple[str, float]:
    """`lamina serve` from the store, beside nginx with the blobs of a layout as files, in turn."""
    layout = bench.directory / "layout"
    words: list[str | Path] = [COMMAND, "build", bench.image(1), "-o", layout, "--format", "oci-layout"]
    timed([*words, "--layer-compressor", "none"], bench.cache("warm"))
    manifest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    listed = json.loads((layout / "blobs/sha256" / manifest[7:]).read_text())["layers"]
    digests, size = [layer["digest"] for layer in listed], sum(layer["size"] for layer in listed)
    serve: list[str | Path] = [COMMAND, "serve", bench.image(1), "--listen", "0", "--json"]
    rows = []
    with nginx(layout, bench.directory) as port:
        files: list[float] = []
        served: list[float] = []
        memory = 0
        for _ in range(min(bench.times, 2)):
            if port:
                files.append(pulls([f"http://127.0.0.1:{port}/blobs/sha256/{digest[7:]}" for digest in digests]))
            with serving_by(serve, bench) as (pid, address), sampled(pid) as peak:
                served.append(pulls([f"http://{address}/v2/library/bench/blobs/{digest}" for digest in digests]))
            memory = max(memory, peak[0])
    shutil.rmtree(layout)
    rate = PULLS * size / min(served) / 1e9
    goal = within(memory / 1e6, 200, "MB")
    if files:
        floor = PULLS * size / min(files) / 1e9
        rows.append(row("nginx", f"{floor:.2f}", "", ""))
        goal += f"; >= 0.7 x nginx: {rate / floor:.2f}, {'met' if rate >= 0.7 * floor else '**missed**'}"
    else:
        rows.append(row("nginx", "not to be had here", "", ""))
    rows.append(row("lamina serve", f"{rate:.2f}", f"{memory / 1e6:.0f}", goal))
    return table("| server | GB/s | memory, MB | goal |", rows), size / 1e9


@contextmanager
def serving_by(words: list[str | Path], bench: Bench) -> Iterator[tuple[int, str]]:
    """The process and the address of `lamina serve`."""
    log = bench.directory / "serve.log"
    log.unlink(missing_ok=True)
    with in_background(words, log, env=bench.cache("warm")) as process:
        while not (printed := log.read_text()).endswith("\n"):
            assert process.poll() is None, printed
            time.sleep(0.02)
        yield process.pid, json.loads(printed)["address"]


def into_daemons(bench: Bench, kinds: Sequence[str]) -> str:
    """Each way into a daemon of its own, which has nothing."""
    archive = bench.directory / "archive.tar"
    timed([COMMAND, "build", bench.image(1), "-o", archive], bench.cache("warm"))
    rows = []
    with roots.entered() as trixie:
        for kind in kinds:
            prefix = trixie if KINDS[kind].debian == "13" else ()
            found = []
            for way in ("archive", "load", "pull"):
                with opened(kind, prefix) as consumer, tempfile.TemporaryDirectory() as name:
                    loader = loader_for(consumer, Path(name))
                    begin = time.perf_counter()
                    if way == "archive":
                        consumer.load(archive)
                    elif way == "load":
                        words: list[str | Path] = [COMMAND, "load", bench.image(1), "--to", loader.to]
                        env = {**loader.environment, "XDG_CACHE_HOME": bench.cache("warm")["XDG_CACHE_HOME"]}
                        timed(words, env)
                    else:
                        serve: list[str | Path] = [COMMAND, "serve", bench.image(1), "--listen", "0", "--json"]
                        with serving_by(serve, bench) as (_, address):
                            pull(consumer, f"{address}/library/bench:latest")
                    found.append(time.perf_counter() - begin)
                    version = consumer.version()
            saves = f"{1 - found[2] / found[1]:.0%}"
            rows.append(row(f"{KINDS[kind].title} {version}", *(f"{seconds:.2f}" for seconds in found), saves))
    archive.unlink()
    head = "| daemon | its own load, s | `lamina load`, s | pull from `lamina serve`, s | pull saves of `lamina load` |"
    return table(head, rows)
