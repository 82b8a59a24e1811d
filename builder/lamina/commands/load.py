"""`lamina load`: load an image into a daemon, sending only missing layers."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_check, add_selection, json_text, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, an archive or an OCI layout")
    add_selection(parser)
    parser.add_argument("--to", choices=("docker", "podman", "containerd"), default="docker", help="default: docker")
    add_check(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import choosing_a_daemon, selecting_by_name
    from lamina.media.clients import CLIENTS

    with choosing_a_daemon(), CLIENTS[options.to]() as client:  # the daemon answers while the rest is imported
        from lamina.data.progress import human
        from lamina.media.daemon import load
        from lamina.recipe.open import open_image

        with selecting_by_name():
            image = open_image(options.image, name=options.name, tag=options.tag)
        loaded = load(image, client, check=options.check)
    names = [name.familiar for name in image.names]
    if options.json:
        costs = {"sent": loaded.sent, "held": loaded.held, "refusal": loaded.refusal}
        print(json_text({"names": names, "to": options.to, **costs}, indent=None))
    else:
        title = ", ".join(names) or "the image"
        print(f"{title} is in {options.to}: {human(loaded.sent)} sent, {human(loaded.held)} of layers were there")
        if loaded.refusal:
            print(f"the daemon rejected the archive of missing layers, so the whole image was sent: {loaded.refusal}")
    return 0
