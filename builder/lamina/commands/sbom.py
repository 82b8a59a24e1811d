"""`lamina sbom`: write the bill of materials of an image."""

from __future__ import annotations

import argparse
import sys

from lamina.commands.parser import add_selection
from lamina.commands.source import add_registry, add_source, only, opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_selection(parser)
    add_registry(parser)
    parser.add_argument(
        "--format",
        choices=("cyclonedx", "spdx"),
        default="cyclonedx",
        help="format of the document; default: cyclonedx",
    )
    parser.add_argument("--spec-version", metavar="VERSION", help="CycloneDX: 1.7 (default) or 1.6; SPDX: 2.3")
    parser.add_argument("--metadata", metavar="FILE", help="what Nix says about packages: `sbom.metadata` of an image")
    parser.add_argument("-o", "--output", metavar="OUT", help="the file to write; default: standard output")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import naming_options, selecting_by_name
    from lamina.data.destination import open_output
    from lamina.data.progress import Progress
    from lamina.errors import printable
    from lamina.image.cache import Cache
    from lamina.image.hashing import with_digests
    from lamina.report.sbom.collect import bill_of
    from lamina.report.sbom.metadata import read_metadata
    from lamina.report.sbom.write import bill_bytes, check_version

    with naming_options(spec_version="--spec-version"):
        version = check_version(options.format, options.spec_version)
    metadata = read_metadata(options.metadata) if options.metadata else None
    reading = Progress(f"reading {options.image}")
    with selecting_by_name(), opened(options.image, options) as images, reading as progress:
        bill = bill_of(with_digests(only(images, options.image), Cache.of_user(), progress), metadata)
    data = bill_bytes(bill, options.format, version)
    for note in bill.notes:
        print(printable(f"warning: {note}"), file=sys.stderr)
    if options.output is None:
        sys.stdout.write(data.decode())
        return 0
    with open_output(options.output) as out:
        out.file.write(data)
    return 0
