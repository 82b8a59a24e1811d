"""`python -m bench.registry`: how long pushing and serving take, beside others; writes `bench/registry.md`.

An image of a large closure in 100 layers, and docker-registry on the loopback. Each row has a goal, which is a ratio or
a number in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bench import closures
from bench.delaying import delayed
from bench.file_server import nginx, program
from bench.machine import machine, versions
from bench.measure import ROOT, STATE, Use, sampled
from tests.support.builds import COMMAND, environment
from tests.support.consumers import registry as registries
from tests.support.consumers import roots
from tests.support.consumers.adapters import KINDS, opened
from tests.support.consumers.base import HEAVY, Consumer, check, in_background
from tests.support.consumers.containerd import Containerd
from tests.support.consumers.docker import Docker
from tests.support.consumers.loading import loader_for
from tests.support.consumers.podman import Podman
from tests.support.consumers.registry import Registry
from tests.support.proxy import proxy_to

DELAY = 0.05
"""Seconds each way."""

PULLS = 16
DAEMONS = ("dockerd", "dockerd_trixie", "dockerd_trixie_containerd", "podman", "podman_trixie", "containerd_trixie")
PLAIN = "--dest-tls-verify=false"

PAGE = """\
# Pushing to a registry, and serving one

`make bench-registry` writes this page in one run: {census}, in at most 100 layers, and docker-registry on the loopback.
Seconds are medians{times}; "read" is what Lamina reads of the layers to find out their digests. The end of the page
says how much of the processors other work took: if it is much, seconds and verdicts say little, unlike bytes and
requests.

## Push

{push}

`skopeo copy` of the archive (`docker-archive:`), which compresses every layer again: {skopeo}.

## First push

The registry is new each time, and so is the cache. The floor is GNU tar of the same files into the compressor, to a
file, plus `skopeo copy` of a finished OCI layout with the same layers.

{first}

## 16 clients at once

Each reads all layers, plain, {size:.2f} GB, with curl. nginx sends the same blobs as files.

{serve}

## Into a daemon, nothing there before

The {small} closure, {small_census}. The archive is there already; `docker pull` is from `lamina serve`. Digests of
layers are remembered.

{daemons}

{machine} {versions}
"""


@frozen
class Bench:
    """Where the bench works. `surroundings` keeps Skopeo's cache of blobs and locations there, too."""

    directory: Path
    closure: str
    times: int
    surroundings: dict[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        found = environment(_CONTAINERS_ROOTLESS_UID="1000", XDG_DATA_HOME=str(self.directory / "skopeo"))
        found.pop("PYTHONDONTWRITEBYTECODE", None)
        object.__setattr__(self, "surroundings", found)

    def cache(self, name: str) -> dict[str, str]:
        return {**self.surroundings, "XDG_CACHE_HOME": str(self.directory / name)}

    def image(self, edit: int) -> Path:
        return closures.recipe(self.closure, str(edit), "bench")

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """A new registry, on a port of its own, so that Skopeo knows of nothing in it."""
        with tempfile.TemporaryDirectory(dir=self.directory) as name, registries.started(Path(name)) as running:
            yield running

    def push(self, image: Path, port: int, cache: str, *options: str) -> tuple[float, dict[str, Any]]:
        words: list[str | Path] = [COMMAND, "push", image, f"docker://127.0.0.1:{port}/bench:1", PLAIN, "--json"]
        seconds, printed = timed([*words, *options], self.cache(cache))
        [result] = json.loads(printed)
        return seconds, result


def timed(words: Sequence[str | Path], env: dict[str, str]) -> tuple[float, bytes]:
    begin = time.perf_counter()
    printed = subprocess.run(list(map(str, words)), env=env, stdout=subprocess.PIPE, check=True, timeout=1200).stdout
    return time.perf_counter() - begin, printed


def shell(text: str, env: dict[str, str]) -> float:
    return timed(["bash", "-euo", "pipefail", "-c", text], env)[0]


def table(head: str, rows: list[str]) -> str:
    return "\n".join([head, "|" + " --- |" * (head.count("|") - 1), *rows])


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def within(value: float, goal: float, unit: str = "s") -> str:
    return f"<= {goal:g} {unit}: {'met' if value <= goal else '**missed**'}"


def pushes(bench: Bench) -> tuple[str, str]:
    """Pushes to a registry that has the image. Each changed image has another application, in a layer of its own."""
    edits = iter(range(2, 100))
    rows = []
    with bench.registry() as registry:
        port = registry.port

        def several(title: str, goal: float, cache: str | None, port: int, *, changed: bool) -> None:
            found, results = [], []
            image = bench.image(1)
            for number in range(bench.times):
                image = bench.image(next(edits)) if changed else image
                if not changed:
                    bench.push(image, registry.port, "warm")
                seconds, result = bench.push(image, port, cache or f"empty-{title.count(' ')}-{number}-{changed}")
                found.append(seconds)
                results.append(result)
            median, last = statistics.median(found), results[-1]
            sizes = f"{last['read'] / 1e6:.2f} | {last['uploaded'] / 1e6:.2f}"
            rows.append(row(title, f"{median:.2f}", sizes, within(median, goal)))

        bench.push(bench.image(1), port, "warm")
        with proxy_to(port) as proxy:
            bench.push(bench.image(1), proxy.port, "warm")
            requests = len(proxy.taken())
        several(f"nothing changed, {requests} requests", 0.3, "warm", port, changed=False)
        with delayed(port, DELAY) as far:
            several("nothing changed, behind 50 ms of delay each way", 0.6, "warm", far, changed=False)
        several("one path changed", 0.6, "warm", port, changed=True)
        several("nothing changed, empty cache and digest map", 1.0, None, port, changed=False)
        several("one path changed, empty cache and digest map", 1.0, None, port, changed=True)
        skopeo = by_skopeo(bench, registry, next(edits))
    return table("| push | s | read, MB | uploaded, MB | goal |", rows), skopeo


def by_skopeo(bench: Bench, registry: Registry, edit: int) -> str:
    """Skopeo with our archive, which the registry has already, and with one path changed."""
    found = []
    for number in (edit, edit, edit + 1):
        archive = bench.directory / "archive.tar"
        timed([COMMAND, "build", bench.image(number), "-o", archive], bench.cache("warm"))
        place = f"docker://{registry.address}/skopeo:1"
        words: list[str | Path] = [
            "skopeo",
            "--insecure-policy",
            "copy",
            "--quiet",
            PLAIN,
            f"docker-archive:{archive}",
            place,
        ]
        found.append(timed(words, bench.surroundings)[0])
        archive.unlink()
    return f"{found[0]:.1f} s first, {found[1]:.2f} s with nothing changed, {found[2]:.2f} s with one path changed"


def first_pushes(bench: Bench) -> str:
    rows = []
    pigz = program("pigz")
    floors = {
        "zstd": (1.3, "zstd -q -1 -T0", "zstd -1 -T0"),
        "gz": (
            1.2,
            f"{pigz} -6" if pigz else "gzip -6",
            "pigz -6" if pigz else "gzip -6 on one processor: no pigz here",
        ),
    }
    listed = bench.directory / "files"
    listed.write_text("".join(f"{path[1:]}\n" for path in closures.store_paths(bench.image(1))))
    for compressor, (goal, filter_, title) in floors.items():
        layout = bench.directory / f"layout-{compressor}"
        options = ("--layer-compressor", compressor)
        words: list[str | Path] = [COMMAND, "build", bench.image(1), "-o", layout, "--format", "oci-layout"]
        timed([*words, *options], bench.cache("warm"))
        ours, packed, copied, results = [], [], [], []
        for number in range(min(bench.times, 2)):
            with bench.registry() as registry:
                seconds, result = bench.push(bench.image(1), registry.port, f"first-{compressor}-{number}", *options)
                ours.append(seconds)
                results.append(result)
            pipe = f"tar -C / -cf - --files-from={listed} | {filter_} > {bench.directory}/packed"
            packed.append(shell(pipe, bench.surroundings))
            with bench.registry() as registry:
                place = f"docker://{registry.address}/copy:1"
                copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", PLAIN]
                copied.append(timed([*copy, f"oci:{layout}", place], bench.surroundings)[0])
        shutil.rmtree(layout)
        push, tar, copy_ = (statistics.median(each) for each in (ours, packed, copied))
        size = f"{results[0]['uploaded'] / 1e6:.0f}"
        floor = f"{tar:.2f} + {copy_:.2f}"
        # The goal allows the ratio for tar alone; the copy comes on top.
        allowed = goal * tar + copy_
        verdict = f"<= {goal} x tar + copy = {allowed:.2f}: {'met' if push <= allowed else '**missed**'}"
        rows.append(row(compressor, f"{push:.2f}", size, f"tar, {title}", floor, verdict))
    return table("| push | s | uploaded, MB | beside | its s + copy | goal |", rows)


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


def pull(consumer: Consumer, name: str) -> None:
    if isinstance(consumer, Docker):
        check(consumer.docker("pull", name), timeout=HEAVY)
    elif isinstance(consumer, Podman):
        consumer.check("pull", "--tls-verify=false", name, timeout=HEAVY)
    elif isinstance(consumer, Containerd):
        check(consumer.ctr("images", "pull", "--plain-http", name), timeout=HEAVY)


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.registry", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--closure", default="large", help="small, medium or large; default: large")
    parser.add_argument("--small", default="medium", metavar="CLOSURE", help="for the daemons; default: medium")
    parser.add_argument("--times", type=int, default=3, help="how often; default: 3, and of what takes long at most 2")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/registry.md", help="the page")
    options = parser.parse_args()
    STATE.mkdir(parents=True, exist_ok=True)
    closures.download({options.closure, options.small})
    load = os.getloadavg()[0]
    begin = Use.now()
    with tempfile.TemporaryDirectory(dir=STATE) as name:
        bench = Bench(Path(name), options.closure, options.times)
        push, skopeo = pushes(bench)
        print(push, skopeo, sep="\n\n", flush=True)
        first = first_pushes(bench)
        print(first, flush=True)
        serve, size = serving(bench)
        print(serve, flush=True)
        daemons = into_daemons(Bench(Path(name), options.small, 1), DAEMONS)
        print(daemons, flush=True)
    text = PAGE.format(
        census=closures.census(options.closure),
        times=f" of {options.times}",
        push=push,
        skopeo=skopeo,
        first=first,
        size=size,
        serve=serve,
        small=options.small,
        small_census=closures.census(options.small),
        daemons=daemons,
        machine=f"{machine(begin.others_until(Use.now()))} The load was {load:.1f} at the start.",
        versions=versions(),
    )
    options.output.write_text(text)


if __name__ == "__main__":
    main()
