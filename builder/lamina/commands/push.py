"""`lamina push`: push an image to a registry, sending only missing layers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.commands.parser import add_image, add_layer_encoding, add_platform, add_selection, json_text

if TYPE_CHECKING:
    from lamina.errors import LaminaError
    from lamina.media.oci_content import OciContent
    from lamina.media.registry.push import Destinations, Pushed
    from lamina.media.registry.skopeo import Access


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    text = "where to push to; several names are several tags or registries"
    parser.add_argument("destination", nargs="+", metavar="docker://HOST/NAME:TAG", help=text)
    add_selection(parser)
    add_platform(parser)
    add_layer_encoding(parser)
    add_access(parser)
    text = "neither read nor write the digest map, with which machines without a cache need not read unchanged layers"
    parser.add_argument("--no-digest-map", action="store_true", help=text)
    parser.add_argument("--dry-run", action="store_true", help="show what would be uploaded, and push nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from lamina.media.registry.skopeo import parse_destination

    names = [parse_destination(text) for text in options.destination]
    access = access_of(options)
    from lamina.media.registry.push import Destinations

    destinations = Destinations(names, access)  # the registries answer while the image is opened
    try:
        results, read = _pushed(options, destinations)
    finally:
        destinations.end()
    if options.json:
        print(json_text([_as_json(result, read) for result in results], indent=None))
    else:
        for result in results:
            print(_line(result, is_planned=options.dry_run))
    return 0


def _pushed(options: argparse.Namespace, destinations: Destinations) -> tuple[list[Pushed], int]:
    """The result for each destination, and how many bytes of layers were read to find out digests."""
    from lamina.commands.errors import naming_layer_options, naming_map_option, selecting_by_name
    from lamina.data.output import scratch_directory
    from lamina.data.progress import Progress
    from lamina.image.cache import Cache
    from lamina.image.digest_map import DigestMap
    from lamina.image.encoding import layer_encoding
    from lamina.media.absent import require_all_layers
    from lamina.media.oci_content import oci_content
    from lamina.media.registry.push import planned
    from lamina.recipe.open import open_everything

    has_map = not options.no_digest_map
    is_map_missing = False
    read = 0

    def claims(unread: int) -> DigestMap | None:
        nonlocal is_map_missing
        found = destinations.digest_map(unread, _unused_map) if has_map else None
        is_map_missing = has_map and found is None
        return found

    def count(size: int) -> None:
        nonlocal read
        read += size
        progress(size)

    with scratch_directory() as spool, naming_map_option():
        select = {"name": options.name, "tag": options.tag, "platform": options.platform}
        with naming_layer_options(), selecting_by_name(), Progress(f"reading {options.image}") as progress:
            item = open_everything(options.image, **select)
            require_all_layers(item)
            encoding = layer_encoding(options.layer_compressor, options.layer_level)
            content = oci_content([item], encoding, Cache.of_user(), count, spool, claims)
        plans = planned(content, destinations.names, destinations.manifests())
        if options.dry_run:
            return plans, read
        access = destinations.access
        return [_carried_out(plan, content, access, has_map=has_map, needs_map=is_map_missing) for plan in plans], read


def _carried_out(plan: Pushed, content: OciContent, access: Access, *, has_map: bool, needs_map: bool) -> Pushed:
    """Push to one destination; returns the result. If the image is there already, only add a missing digest map."""
    from lamina.data.progress import Progress
    from lamina.media.registry.push import add_map, push

    if plan.is_unchanged:
        if needs_map:
            add_map(content, plan.name, access, _unstored_map)
        return plan
    with Progress(f"pushing to {plan.name.familiar}", plan.uploaded) as progress:
        return push(content, plan.name, access, progress, _unstored_map, has_map=has_map)


def _unused_map(error: LaminaError) -> None:
    _note(f"{error.where}: the digest map is not used: {error.what}")


def _unstored_map(error: LaminaError) -> None:
    _note(f"{error.where}: pushed, but without a digest map (--no-digest-map): {error.what}")


def _note(text: str) -> None:
    import sys

    from lamina.errors import printable

    print(printable(f"lamina: {text}"), file=sys.stderr)


def _as_json(result: Pushed, read: int) -> dict[str, object]:
    return {
        "name": result.name.qualified,
        "digest": result.digest,
        "unchanged": result.is_unchanged,
        "uploaded": result.uploaded,
        "held": result.held,
        "mounted": result.mounted,
        "read": read,
    }


def _line(result: Pushed, *, is_planned: bool) -> str:
    from lamina.data.progress import human

    name = f"{result.name.qualified}@{result.digest}"
    if result.is_unchanged:
        return f"{name} is already there"
    mounted = f", {human(result.mounted)} of them in another repository" if result.mounted else ""
    sizes = f"{human(result.uploaded)} of layers, {human(result.held)} are there{mounted}"
    return f"{name}: would upload at most {sizes}" if is_planned else f"{name}: uploaded {sizes}"


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add Skopeo's options for reaching a registry."""
    parser.add_argument("--authfile", type=Path, metavar="FILE", help="credentials, as `skopeo login` writes them")
    parser.add_argument(
        "--dest-tls-verify",
        type=_boolean,
        metavar="true|false",
        help="false: accept a registry without TLS, or with an unknown certificate",
    )
    text = "certificates for the registry (*.crt, *.cert, *.key)"
    parser.add_argument("--dest-cert-dir", type=Path, metavar="DIRECTORY", help=text)


def access_of(options: argparse.Namespace) -> Access:
    """The values of the options that `add_access` adds."""
    from lamina.media.registry.skopeo import Access

    return Access(options.authfile, options.dest_tls_verify, options.dest_cert_dir)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false")
    return text == "true"
