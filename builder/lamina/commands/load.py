"""`lamina load`: load an image into a daemon, sending only missing layers."""

from __future__ import annotations

import argparse

from lamina.commands.parser import json_text, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, or an archive or a layout with one image")
    parser.add_argument("--to", choices=("docker", "podman", "containerd"), default="docker", help="default: docker")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    from lamina.media.clients import CLIENTS

    with CLIENTS[options.to]() as client:  # its daemon is asked while the rest is imported
        from lamina.data.progress import human
        from lamina.image.cache import Cache
        from lamina.media.daemon import load
        from lamina.recipe.open import open_image

        image = open_image(options.image)
        loaded = load(image, client, Cache.of_user())
    names = [name.familiar for name in image.names]
    if options.json:
        told = {"sent": loaded.sent, "held": loaded.held, "refusal": loaded.refusal}
        print(json_text({"names": names, "to": options.to, **told}, indent=None))
    else:
        what = ", ".join(names) or "the image"
        print(f"{what} is in {options.to}: {human(loaded.sent)} sent, {human(loaded.held)} of layers were there")
        if loaded.refusal:
            print(f"all of it went there after the layers that it lacked alone had not sufficed: {loaded.refusal}")
    return 0
