"""Pushes of an image that a registry has, nearly has, or has not."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from bench import closures
from bench.delaying import delayed
from bench.file_server import program
from bench.registry_setting import PLAIN, Bench, row, shell, table, timed, within
from tests.support.builds import COMMAND
from tests.support.consumers.registry import Registry
from tests.support.proxy import proxy_to

DELAY = 0.05
"""Seconds each way."""


def pushes(bench: Bench) -> tuple[str, str]:
    """Pushes to a registry that has the image. Each changed image has another application, in a layer of its own."""
    edits = iter(range(2, 100))
    rows = []
    with bench.registry() as registry:
        port = registry.port

        def several(
            title: str, goal: float, cache: str | None, port: int, *, changed: bool, access: str = PLAIN
        ) -> None:
            found, results = [], []
            image = bench.image(1)
            for number in range(bench.times):
                image = bench.image(next(edits)) if changed else image
                if not changed:
                    bench.push(image, registry.port, "warm")
                used = cache or f"empty-{title.count(' ')}-{number}-{changed}"
                seconds, result = bench.push(image, port, used, access=access)
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
        far_title = "nothing changed, behind 50 ms of delay each way"
        with bench.over_tls() as (secure, access), delayed(secure, DELAY) as far:
            several(f"{far_title}, TLS", 0.6, "warm", far, changed=False, access=access)
            alone = statistics.median(asked_by_skopeo(bench, far, access) for _ in range(bench.times))
        with delayed(port, DELAY) as far:
            several(f"{far_title}, where Skopeo tries TLS first", 0.6, "warm", far, changed=False)
        several("one path changed", 0.6, "warm", port, changed=True)
        several("nothing changed, empty cache and digest map", 1.0, None, port, changed=False)
        several("one path changed, empty cache and digest map", 1.0, None, port, changed=True)
        asked = f"Behind the delay, `skopeo inspect --raw` alone takes {alone:.2f} s over TLS."
        skopeo = (
            f"{asked}\n\n{by_skopeo(bench, registry, next(edits))}\n\n{layout_by_skopeo(bench, registry, next(edits))}"
        )
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
    title = "`skopeo copy` of the archive (`docker-archive:`), which compresses every layer again"
    times = f"{found[0]:.1f} s first, {found[1]:.2f} s with nothing changed, {found[2]:.2f} s with one path changed"
    return f"{title}: {times}."


def layout_by_skopeo(bench: Bench, registry: Registry, edit: int) -> str:
    """Skopeo with finished OCI layouts, whose layers are compressed already: all that it does is to copy."""
    found = []
    for number in (edit, edit, edit + 1):
        layout = bench.directory / "layout-copied"
        words: list[str | Path] = [COMMAND, "build", bench.image(number), "-o", layout, "--format", "oci-layout"]
        timed([*words, "--layer-compressor", "zstd"], bench.cache("warm"))
        copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", PLAIN]
        found.append(timed([*copy, f"oci:{layout}", f"docker://{registry.address}/layout:1"], bench.surroundings)[0])
        shutil.rmtree(layout)
    title = "`skopeo copy` of a finished OCI layout with compressed layers"
    return f"{title}: {found[1]:.2f} s with nothing changed, {found[2]:.2f} s with one path changed."


def asked_by_skopeo(bench: Bench, port: int, access: str) -> float:
    """Seconds in which Skopeo alone gets the manifest."""
    words = ["skopeo", "--insecure-policy", "inspect", "--raw", access.replace("--dest-", "--")]
    return timed([*words, f"docker://127.0.0.1:{port}/bench:1"], bench.surroundings)[0]


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
