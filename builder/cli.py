"""The command `lamina`."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from builder import __version__
from builder.arguments import Parser, command
from builder.cli_inside import add_commands
from builder.errors import BadUsage, LaminaError

_EPILOG = """\
example: lamina build image.json -o image.tar && lamina inspect image.tar && docker load < image.tar
exit status: 0 done, 1 bad input, 2 bad usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. An error is one line on standard error."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a locale may lack what is in a name
        options = _parser().parse_args(arguments)
        run: Callable[[argparse.Namespace], int] = options.run
        status = run(options)
        sys.stdout.flush()
        return status
    except LaminaError as error:
        print(f"lamina: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        _forget_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"lamina: {LaminaError(error.filename or 'output', error.strerror or str(error))}", file=sys.stderr)
        _forget_output()
        return 1


def _forget_output() -> None:
    """What could not be written would be tried once more when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> Parser:
    parser = Parser(
        prog="lamina",
        description="Container images from Nix store paths.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lamina {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    build = command(commands, "build", _build, "make an archive from a recipe", "lamina build image.json -o image.tar")
    build.add_argument("recipe", type=Path, metavar="RECIPE", help="the JSON that an image's `recipe` attribute makes")
    build.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    build.add_argument(
        *("-t", "--name", "--repo_tag"),
        metavar="NAME:TAG",
        help="what to call the image, in the place of its own names",
    )
    build.add_argument(
        "--layout", choices=("universal", "docker-1.9", "classic"), default="universal", help="default: universal"
    )
    build.add_argument("--compressor", choices=("none", "gz", "zstd"), default="none", help="default: none")

    merge = command(
        commands, "merge", _merge, "put several images into one archive", "lamina merge a.tar b.tar -o ab.tar"
    )
    merge.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="recipes, archives or OCI layouts")
    merge.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    merge.add_argument("--compressor", choices=("none", "gz", "zstd"), default="none", help="default: none")

    inspect = command(commands, "inspect", _inspect, "tell what an image holds", "lamina inspect image.tar --json")
    inspect.add_argument("image", type=Path, metavar="IMAGE", help="a recipe, an archive or an OCI layout")
    inspect.add_argument("--json", action="store_true", help="for programs")

    verify = command(
        commands,
        "verify",
        _verify,
        "check structure and every digest, and what consumers need",
        "lamina verify image.tar --for mesos,podman",
    )
    verify.add_argument("image", type=Path, metavar="IMAGE", help="a recipe, a docker or OCI archive, or an OCI layout")
    verify.add_argument("--for", dest="consumers", metavar="NAME,...", help="what these need of an archive; or all")
    verify.add_argument("--json", action="store_true", help="for programs")

    plan = command(commands, "plan", _plan, "tell what is in each layer, and why", "lamina plan image.json")
    plan.add_argument("recipe", type=Path, metavar="RECIPE", help="the JSON that an image's `recipe` attribute makes")
    plan.add_argument("--explain", action="store_true", help="print the layers; the default, unless --lock is given")
    plan.add_argument("--lock", type=Path, metavar="FILE", help="write the plan, for the argument `lock` of an image")
    plan.add_argument("--json", action="store_true", help="for programs")

    load = command(commands, "load", _load, "send a daemon what it lacks of an image", "lamina load image.json")
    load.add_argument("image", type=Path, metavar="IMAGE", help="a recipe, or an archive or a layout with one image")
    load.add_argument("--to", choices=("docker", "podman", "containerd"), default="docker", help="default: docker")
    load.add_argument("--json", action="store_true", help="for programs")

    prefetch = command(commands, "prefetch", _prefetch, "tell the arguments for pullImage", "lamina prefetch redis:7")
    prefetch.add_argument("image", nargs="?", metavar="NAME[:TAG|@DIGEST]", help="as for docker pull")
    prefetch.add_argument("reference", nargs="?", metavar="TAG|DIGEST", help="the same, apart")
    prefetch.add_argument("--image-name", metavar="NAME", help="the same as NAME")
    prefetch.add_argument("--image-tag", metavar="TAG", help="the same as TAG")
    prefetch.add_argument("--image-digest", metavar="DIGEST", help="of a manifest or of an index")
    prefetch.add_argument("--os", default="linux", help="which image of an index; default: linux")
    prefetch.add_argument("--arch", help="which image of an index, in Go's words; default: this machine's")
    prefetch.add_argument("--final-image-name", metavar="NAME", help="the name that the archive tells; default: NAME")
    prefetch.add_argument("--final-image-tag", metavar="TAG", help="the tag that the archive tells; default: TAG")
    prefetch.add_argument("--no-tls-verify", action="store_true", help="for a registry without TLS")
    prefetch.add_argument("--json", action="store_true", help="for programs; otherwise a Nix attribute set")
    prefetch.add_argument("--quiet", action="store_true", help="nothing but the result")

    export = command(
        commands, "export", _export, "write an image's file system as a plain tar", "lamina export image.tar -o fs.tar"
    )
    export.add_argument("image", type=Path, metavar="IMAGE", help="a recipe, an archive or a layout")
    export.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    export.add_argument("--name", metavar="NAME", help="which image of it")
    export.add_argument("--tag", metavar="TAG", help="which image of it")
    export.add_argument("--mtime", type=int, default=1, metavar="SECONDS", help="time of every file; default: 1")
    add_commands(commands)
    return parser


# Each command imports what it needs: the builder starts once for every derivation.


def _build(options: argparse.Namespace) -> int:
    import attrs

    from builder.build import build_image
    from builder.cache import Cache
    from builder.media import classic, universal
    from builder.media.tarball import Arrangement, write
    from builder.recipe import read_recipe
    from builder.reference import parse_reference

    layouts: dict[str, Arrangement] = {
        "universal": universal.arrange,
        "docker-1.9": universal.arrange_for_docker_1_9,
        "classic": classic.arrange,
    }
    image = build_image(read_recipe(options.recipe))
    if options.name:
        image = attrs.evolve(image, names=(parse_reference(options.name, "--name"),))
    write(image, layouts[options.layout], options.output, options.compressor, Cache.of_user())
    return 0


def _merge(options: argparse.Namespace) -> int:
    from builder.cache import Cache
    from builder.merge import merge

    merge(options.images, options.output, options.compressor, Cache.of_user())
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from builder.cache import Cache
    from builder.report import describe, table

    images = describe(options.image, Cache.of_user())
    print(json.dumps(images, indent=2, sort_keys=True) if options.json else table(images))
    return 0


def _verify(options: argparse.Namespace) -> int:
    import attrs

    from builder.checks import checks_for, consumers
    from builder.progress import Progress, human
    from builder.verify import verify

    wanted = () if options.consumers is None else consumers(options.consumers)
    with Progress(f"verifying {options.image}") as progress:
        verdict = verify(options.image, progress, wanted)
    if options.json:
        report: dict[str, object] = {"sound": not verdict.problems, "images": verdict.images}
        report |= {"layers": verdict.layers, "size": verdict.size, "problems": verdict.problems}
        if wanted:
            report |= {"for": wanted, "findings": [attrs.asdict(finding) for finding in verdict.findings]}
        print(json.dumps(report, indent=2))
    elif not verdict.problems:
        print(f"sound: {verdict.images} image(s), {verdict.layers} layer(s), {human(verdict.size)}")
        if wanted and not verdict.findings:
            print(f"fit: {len(checks_for(wanted))} checks for {', '.join(wanted)}")
    for line in (*verdict.problems, *map(str, verdict.findings)):
        print(f"lamina: {line}", file=sys.stderr)
    return 1 if verdict.problems or verdict.findings else 0


def _plan(options: argparse.Namespace) -> int:
    from builder.recipe import StoreLayer, read_recipe
    from builder.report import layer_table, planned

    recipe = read_recipe(options.recipe)
    if options.lock:
        from builder.plan import lock_of, write_lock

        write_lock(lock_of(layer.paths for layer in recipe.layers if isinstance(layer, StoreLayer)), options.lock)
    if options.json:
        print(json.dumps(planned(recipe), indent=2))
    elif options.explain or not options.lock:
        print(layer_table(planned(recipe)))
    return 0


def _load(options: argparse.Namespace) -> int:
    from builder.build import open_image
    from builder.cache import Cache
    from builder.media.clients import CLIENTS
    from builder.media.daemon import load
    from builder.progress import human

    image = open_image(options.image)
    loaded = load(image, CLIENTS[options.to](), Cache.of_user())
    names = [name.familiar for name in image.names]
    if options.json:
        print(json.dumps({"names": names, "to": options.to, "sent": loaded.sent, "held": loaded.held}))
    else:
        what = ", ".join(names) or "the image"
        print(f"{what} is in {options.to}: {human(loaded.sent)} sent, {human(loaded.held)} of layers were there")
    return 0


def _prefetch(options: argparse.Namespace) -> int:
    import attrs

    from builder.media import host_architecture
    from builder.prefetch import Wanted, nix_text, prefetch

    name = options.image_name or options.image
    if not name:
        raise BadUsage("prefetch", "no image", "give NAME, NAME:TAG or NAME@DIGEST")
    wanted = attrs.evolve(
        Wanted.parse(name, options.reference, options.image_tag, options.image_digest),
        os=options.os,
        arch=options.arch or host_architecture(),
        final_name=options.final_image_name,
        final_tag=options.final_image_tag,
        tls_verify=not options.no_tls_verify,
    )

    def tell(what: str, value: str) -> None:
        if not options.quiet:
            print(f"-> {what}: {value}", file=sys.stderr)

    arguments = prefetch(wanted, tell).arguments
    print(json.dumps(arguments, indent=2) if options.json else nix_text(arguments))
    return 0


def _export(options: argparse.Namespace) -> int:
    from builder.build import open_image
    from builder.export import export
    from builder.output import stream_or_file

    with stream_or_file(options.output) as out:
        out.writelines(export(open_image(options.image, options.name, options.tag), options.mtime))
    return 0


if __name__ == "__main__":
    sys.exit(main())
