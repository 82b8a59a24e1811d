"""`lamina serve`: a read-only registry on this machine, whose layers are made when they are pulled."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.commands.parser import add_check, add_layer_encoding, add_platform, json_text, path

if TYPE_CHECKING:
    from lamina.media.oci_content import OciContent
    from lamina.media.registry.server import Address

_PORT = 5000
"""The port that docker-registry has by default."""

_SHOWN = 3
"""How many names have their pull commands printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "recipes, archives or OCI layouts; all their images are served"
    parser.add_argument("image", nargs="+", type=path, metavar="IMAGE", help=text)
    parser.add_argument("--as", dest="name", metavar="NAME:TAG", help="serve a single image under this name")
    parser.add_argument(
        "--listen",
        default=f"127.0.0.1:{_PORT}",
        metavar="[HOST:]PORT",
        help=f"where to listen; default: 127.0.0.1:{_PORT}, which only this machine reaches. Port 0: any free one",
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="serve over TLS with this certificate (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key; default: in the file of --tls-cert")
    add_platform(parser)
    text = "how layers are compressed, unless they are already; default: what the recipe says, or none"
    add_layer_encoding(parser, text)
    add_check(parser)
    parser.add_argument("--json", action="store_true", help="print the address and the images as JSON, in one line")


def run(options: argparse.Namespace) -> int:
    import sys

    from lamina.errors import BadUsage, LaminaError

    if options.tls_key and not options.tls_cert:
        raise BadUsage("--tls-key", "given without --tls-cert", "give the certificate, too")
    from lamina.media.registry.running import serve, tls_context

    address = _address(options.listen)
    tls = tls_context(options.tls_cert, options.tls_key) if options.tls_cert else None
    content = _content(options)
    from lamina.media.registry.repositories import repositories_of

    names = [f"{name.repository}:{name.tag}" for item in content for name in item.tags]

    def started(address: Address) -> None:
        print(_announcement(address, names, is_secure=tls is not None, is_json=options.json), flush=True)

    def failed(error: LaminaError) -> None:
        print(f"lamina: {error}", file=sys.stderr, flush=True)

    serve(repositories_of(content), address, tls, started, failed)
    return 0


def _content(options: argparse.Namespace) -> list[OciContent]:
    import attrs

    from lamina.commands.errors import naming_layer_options
    from lamina.data.progress import Progress
    from lamina.errors import BadUsage
    from lamina.image.cache import Cache
    from lamina.image.encoding import LayerEncoding, layer_encoding
    from lamina.image.index import all_images
    from lamina.media.absent import require_all_layers
    from lamina.media.oci_content import oci_content
    from lamina.oci.reference import parse_reference
    from lamina.recipe.open import open_all_platforms

    items = [item for source in options.image for item in open_all_platforms(source, platform=options.platform)]
    for item in items:
        require_all_layers(item)
    if options.name and len(items) != 1:
        raise BadUsage("--as", f"there are {len(items)} images", "give a single image, or leave --as out")
    if options.name:
        items = [attrs.evolve(items[0], names=(parse_reference(options.name, "--as"),))]
    cache = None if options.check else Cache.of_user()
    with naming_layer_options(), Progress("reading layers") as progress:
        chosen = layer_encoding(options.layer_compressor, options.layer_level)
        contents = []
        for item in items:
            # Compressing takes longer than sending, and what a pull saves on this machine's own network is little.
            own = next((image.encoding for image in all_images([item]) if image.encoding), LayerEncoding("none"))
            contents.append(oci_content([item], chosen or own, cache, progress))
        return contents


def _address(text: str) -> Address:
    from lamina.errors import BadUsage
    from lamina.media.registry.server import Address

    host, _, port = text.rpartition(":")
    if not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise BadUsage("--listen", f"{text!r:.80} has no port", "write PORT or HOST:PORT")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def _announcement(address: Address, names: list[str], *, is_secure: bool, is_json: bool) -> str:
    scheme = "https" if is_secure else "http"
    if is_json:
        return json_text({"address": str(address), "url": f"{scheme}://{address}", "images": names}, indent=None)
    lines = [f"listening on {scheme}://{address}; Ctrl-C ends it"]
    insecure = {} if is_secure else {"podman": " --tls-verify=false", "skopeo": " --src-tls-verify=false"}
    for name in names[:_SHOWN]:
        image = f"{address}/{name}"
        lines += [
            f"  docker pull {image}",
            f"  podman pull{insecure.get('podman', '')} {image}",
            f"  skopeo copy{insecure.get('skopeo', '')} docker://{image} oci:image",
        ]
    if len(names) > _SHOWN:
        lines.append(f"  and {len(names) - _SHOWN} more names")
    return "\n".join(lines)
