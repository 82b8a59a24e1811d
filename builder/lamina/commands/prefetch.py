"""`lamina prefetch`: print the arguments for pullImage."""

from __future__ import annotations

import argparse
import sys

from lamina.commands.parser import json_text
from lamina.errors import BadUsage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="?", metavar="NAME[:TAG|@DIGEST]", help="the image, written as for docker pull")
    parser.add_argument("reference", nargs="?", metavar="TAG|DIGEST", help="the tag or digest, if NAME has none")
    parser.add_argument("--image-name", metavar="NAME", help="the same as NAME")
    parser.add_argument("--image-tag", metavar="TAG", help="the same as TAG")
    parser.add_argument("--image-digest", metavar="DIGEST", help="digest of a manifest or an index")
    parser.add_argument("--os", default="linux", help="operating system, for multi-platform images; default: linux")
    parser.add_argument("--arch", help="architecture in Go's words, for multi-platform images; default: this machine's")
    parser.add_argument("--final-image-name", metavar="NAME", help="name in the archive; default: NAME")
    parser.add_argument("--final-image-tag", metavar="TAG", help="tag in the archive; default: TAG")
    parser.add_argument(
        "--no-tls-verify", action="store_true", help="accept a registry without TLS, or with an unknown certificate"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a Nix attribute set")
    parser.add_argument("--quiet", action="store_true", help="print nothing but the result")


def run(options: argparse.Namespace) -> int:
    import attrs

    from lamina.media.prefetch import Request, nix_text, prefetch
    from lamina.oci.platform import host_architecture

    name = options.image_name or options.image
    if not name:
        raise BadUsage("prefetch", "no image", "give NAME, NAME:TAG or NAME@DIGEST")
    request = attrs.evolve(
        Request.parse(name, options.reference, options.image_tag, options.image_digest),
        os=options.os,
        arch=options.arch or host_architecture(),
        final_name=options.final_image_name,
        final_tag=options.final_image_tag,
        tls_verify=not options.no_tls_verify,
    )

    def report(title: str, value: str) -> None:
        if not options.quiet:
            print(f"-> {title}: {value}", file=sys.stderr)

    arguments = prefetch(request, report).arguments
    print(json_text(arguments, indent=2) if options.json else nix_text(arguments))
    return 0
