"""The command `lamina`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

from builder import __version__
from builder.arguments import Command, Parser, add_commands, path
from builder.cli_inside import INSIDE
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
        words = sys.argv[1:] if arguments is None else arguments
        options = _parser(words).parse_args(words)
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


def _parser(words: Sequence[str]) -> Parser:
    parser = Parser(
        prog="lamina",
        description="Container images from Nix store paths.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"lamina {__version__}")
    add_commands(parser, (*COMMANDS, *INSIDE), words)
    return parser


# Each command imports what it needs: the builder starts once for every derivation.


def _json(value: object, indent: int | None = 2, sort_keys: bool = False) -> str:
    import json

    return json.dumps(value, indent=indent, sort_keys=sort_keys)


def _build_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=path, metavar="RECIPE", help="the JSON that an image's `recipe` attribute makes")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    parser.add_argument(
        *("-t", "--name", "--repo_tag"),
        metavar="NAME:TAG",
        help="what to call the image, in the place of its own names",
    )
    parser.add_argument(
        "--layout", choices=("universal", "docker-1.9", "classic"), default="universal", help="default: universal"
    )
    parser.add_argument("--compressor", choices=("none", "gz", "zstd"), default="none", help="default: none")


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


def _merge_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=path, nargs="+", metavar="IMAGE", help="recipes, archives or OCI layouts")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    parser.add_argument("--compressor", choices=("none", "gz", "zstd"), default="none", help="default: none")


def _merge(options: argparse.Namespace) -> int:
    from builder.cache import Cache
    from builder.merge import merge

    merge(options.images, options.output, options.compressor, Cache.of_user())
    return 0


def _inspect_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, an archive or an OCI layout")
    parser.add_argument("--json", action="store_true", help="for programs")


def _inspect(options: argparse.Namespace) -> int:
    from builder.cache import Cache
    from builder.report import describe, table

    images = describe(options.image, Cache.of_user())
    print(_json(images, sort_keys=True) if options.json else table(images))
    return 0


def _verify_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, a docker or OCI archive, or an OCI layout")
    parser.add_argument("--for", dest="consumers", metavar="NAME,...", help="what these need of an archive; or all")
    parser.add_argument("--json", action="store_true", help="for programs")


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
        print(_json(report))
    elif not verdict.problems:
        print(f"sound: {verdict.images} image(s), {verdict.layers} layer(s), {human(verdict.size)}")
        if wanted and not verdict.findings:
            print(f"fit: {len(checks_for(wanted))} checks for {', '.join(wanted)}")
    for line in (*verdict.problems, *map(str, verdict.findings)):
        print(f"lamina: {line}", file=sys.stderr)
    return 1 if verdict.problems or verdict.findings else 0


def _plan_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=path, metavar="RECIPE", help="the JSON that an image's `recipe` attribute makes")
    parser.add_argument("--explain", action="store_true", help="print the layers; the default, unless --lock is given")
    parser.add_argument("--lock", type=path, metavar="FILE", help="write the plan, for the argument `lock` of an image")
    parser.add_argument("--json", action="store_true", help="for programs")


def _plan(options: argparse.Namespace) -> int:
    from builder.recipe import StoreLayer, read_recipe
    from builder.report import layer_table, planned

    recipe = read_recipe(options.recipe)
    if options.lock:
        from builder.plan import lock_of, write_lock

        write_lock(lock_of(layer.paths for layer in recipe.layers if isinstance(layer, StoreLayer)), options.lock)
    if options.json:
        print(_json(planned(recipe)))
    elif options.explain or not options.lock:
        print(layer_table(planned(recipe)))
    return 0


def _load_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, or an archive or a layout with one image")
    parser.add_argument("--to", choices=("docker", "podman", "containerd"), default="docker", help="default: docker")
    parser.add_argument("--json", action="store_true", help="for programs")


def _load(options: argparse.Namespace) -> int:
    from builder.media.clients import CLIENTS

    with CLIENTS[options.to]() as client:  # its daemon is asked while the rest is imported
        from builder.build import open_image
        from builder.cache import Cache
        from builder.media.daemon import load
        from builder.progress import human

        image = open_image(options.image)
        loaded = load(image, client, Cache.of_user())
    names = [name.familiar for name in image.names]
    if options.json:
        told = {"sent": loaded.sent, "held": loaded.held, "refusal": loaded.refusal}
        print(_json({"names": names, "to": options.to, **told}, indent=None))
    else:
        what = ", ".join(names) or "the image"
        print(f"{what} is in {options.to}: {human(loaded.sent)} sent, {human(loaded.held)} of layers were there")
        if loaded.refusal:
            print(f"all of it went there after the layers that it lacked alone had not sufficed: {loaded.refusal}")
    return 0


def _prefetch_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="?", metavar="NAME[:TAG|@DIGEST]", help="as for docker pull")
    parser.add_argument("reference", nargs="?", metavar="TAG|DIGEST", help="the same, apart")
    parser.add_argument("--image-name", metavar="NAME", help="the same as NAME")
    parser.add_argument("--image-tag", metavar="TAG", help="the same as TAG")
    parser.add_argument("--image-digest", metavar="DIGEST", help="of a manifest or of an index")
    parser.add_argument("--os", default="linux", help="which image of an index; default: linux")
    parser.add_argument("--arch", help="which image of an index, in Go's words; default: this machine's")
    parser.add_argument("--final-image-name", metavar="NAME", help="the name that the archive tells; default: NAME")
    parser.add_argument("--final-image-tag", metavar="TAG", help="the tag that the archive tells; default: TAG")
    parser.add_argument("--no-tls-verify", action="store_true", help="for a registry without TLS")
    parser.add_argument("--json", action="store_true", help="for programs; otherwise a Nix attribute set")
    parser.add_argument("--quiet", action="store_true", help="nothing but the result")


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
    print(_json(arguments, indent=2) if options.json else nix_text(arguments))
    return 0


def _export_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, an archive or a layout")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    parser.add_argument("--name", metavar="NAME", help="which image of it")
    parser.add_argument("--tag", metavar="TAG", help="which image of it")
    parser.add_argument("--mtime", type=int, default=1, metavar="SECONDS", help="time of every file; default: 1")


def _export(options: argparse.Namespace) -> int:
    from builder.build import open_image
    from builder.export import export
    from builder.output import stream_or_file

    with stream_or_file(options.output) as out:
        out.writelines(export(open_image(options.image, options.name, options.tag), options.mtime))
    return 0


COMMANDS = (
    Command("build", "make an archive from a recipe", "lamina build image.json -o image.tar", _build_takes, _build),
    Command("merge", "put several images into one archive", "lamina merge a.tar b.tar -o ab.tar", _merge_takes, _merge),
    Command("inspect", "tell what an image holds", "lamina inspect image.tar --json", _inspect_takes, _inspect),
    Command(
        "verify",
        "check structure and every digest, and what consumers need",
        "lamina verify image.tar --for mesos,podman",
        _verify_takes,
        _verify,
    ),
    Command("plan", "tell what is in each layer, and why", "lamina plan image.json", _plan_takes, _plan),
    Command("load", "send a daemon what it lacks of an image", "lamina load image.json", _load_takes, _load),
    Command("prefetch", "tell the arguments for pullImage", "lamina prefetch redis:7", _prefetch_takes, _prefetch),
    Command(
        "export",
        "write an image's file system as a plain tar",
        "lamina export image.tar -o fs.tar",
        _export_takes,
        _export,
    ),
)


if __name__ == "__main__":
    sys.exit(main())
