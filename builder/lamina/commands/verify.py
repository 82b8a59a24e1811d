"""`lamina verify`: check the structure and every digest of an image, and what consumers need."""

from __future__ import annotations

import argparse
import sys

from lamina.commands.parser import add_image, json_text

TASKS = (("lamina verify image.tar", "structure and every digest"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    parser.add_argument(
        "--for",
        dest="consumers",
        metavar="NAME,...",
        help="also check what these consumers need; all: every one but docker-1.9",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    import attrs

    from lamina.commands.errors import naming_options
    from lamina.compat import checks_for, known_consumers
    from lamina.data.progress import Progress, counted, human
    from lamina.errors import printable
    from lamina.report.verify import verify

    names = () if options.consumers is None else options.consumers.split(",")
    with naming_options(consumers="--for"), Progress(f"verifying {options.image}") as progress:
        requested = known_consumers(names)
        verdict = verify(options.image, consumers=requested, progress=progress)
    if options.json:
        report: dict[str, object] = {"sound": not verdict.problems, "images": verdict.images}
        report |= {"layers": verdict.layers, "size": verdict.size, "problems": verdict.problems}
        report["unchecked"] = verdict.unchecked
        if requested:
            report |= {"for": requested, "findings": [attrs.asdict(finding) for finding in verdict.findings]}
        print(json_text(report))
    elif not verdict.problems:
        print(f"sound: {counted(verdict.images, 'image')}, {counted(verdict.layers, 'layer')}, {human(verdict.size)}")
        if requested and not verdict.findings:
            print(f"fit: {len(checks_for(requested))} checks for {', '.join(requested)}")
    if not options.json:
        for line in verdict.unchecked:
            print(printable(f"not checked: {line}"))
    sys.stdout.flush()  # before the lines on standard error, which are the last ones
    for line in (*verdict.problems, *map(str, verdict.findings)):
        print(f"lamina: {line}", file=sys.stderr)
    if verdict.findings:
        affected = {name for finding in verdict.findings for name in finding.hurts}
        print(f"lamina: does not fit: {', '.join(name for name in requested if name in affected)}", file=sys.stderr)
    return 1 if verdict.problems or verdict.findings else 0
