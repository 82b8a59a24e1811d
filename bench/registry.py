"""`python -m bench.registry`: how long pushing and serving take, beside others; writes `bench/registry.md`.

An image of a large closure in 100 layers, and docker-registry on the loopback. Each row has a goal, which is a ratio or
a number in the same run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from bench import closures
from bench.machine import machine, versions
from bench.measure import ROOT, STATE, Use
from bench.pushing import first_pushes, pushes
from bench.registry_setting import Bench
from bench.serving import into_daemons, serving

DAEMONS = ("dockerd", "dockerd_trixie", "dockerd_trixie_containerd", "podman", "podman_trixie", "containerd_trixie")

PAGE = """\
# Pushing to a registry, and serving one

`make bench-registry` writes this page in one run: {census}, in at most 100 layers, and docker-registry on the loopback.
Seconds are medians{times}; "read" is what Lamina reads of the layers to find out their digests. The end of the page
says how much of the processors other work took: if it is much, seconds and verdicts say little, unlike bytes and
requests.

## Push

{push}

{skopeo}

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
