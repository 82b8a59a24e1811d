"""`lamina load`: load an image into a daemon, sending only missing layers."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_check, add_image, add_layer_encoding, add_selection, json_text

TASKS = (
    ("lamina load image.json --to podman", "into podman"),
    ("DOCKER_HOST=ssh://user@host lamina load image.json", "to another machine"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    add_selection(parser)
    parser.add_argument(
        "--to", choices=("docker", "podman", "containerd"), default="docker", help="the daemon; default: docker"
    )
    text = "load compressed layers, which the daemon then pushes; only Docker with containerd's store, and containerd"
    add_layer_encoding(parser, text)
    add_check(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import choosing_a_daemon, naming_layer_options, selecting_by_name
    from lamina.media.clients import CLIENTS

    with choosing_a_daemon(), CLIENTS[options.to]() as client:  # the daemon answers while the rest is imported
        from lamina.data.progress import human
        from lamina.image.encoding import layer_encoding
        from lamina.media.daemon import load
        from lamina.recipe.open import open_image

        with naming_layer_options(), selecting_by_name():
            encoding = layer_encoding(options.layer_compressor, options.layer_level)
            image = open_image(options.image, name=options.name, tag=options.tag)
        try:
            loaded = load(image, client, encoding=encoding, check=options.check)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{options.to} may still finish what it has received") from None
    names = [name.familiar for name in image.names]
    if options.json:
        costs = {"sent": loaded.sent, "held": loaded.held, "repeated": loaded.repeated, "refusal": loaded.refusal}
        print(json_text({"names": names, "to": options.to, **costs}, indent=None))
    else:
        title = ", ".join(names) or "the image"
        print(f"{title} is in {options.to}: sent {human(loaded.sent)}, reused {human(loaded.held)} of layers")
        if loaded.repeated:
            print(f"{human(loaded.repeated)} of the sent layers have not changed, but Docker needs every layer above a")
            print("changed one again; `volatile` moves paths that change often to the top (docs/use/planning.md)")
        if loaded.refusal:
            print(f"the daemon rejected the archive of missing layers, so the whole image was sent: {loaded.refusal}")
    return 0
