"""The command `lamina`: the list of its commands, and how errors and interrupts end them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from lamina.commands import interrupt
from lamina.commands.parser import Command, parse
from lamina.errors import LaminaError

_EPILOG = """\
`lamina help COMMAND` shows the options of a command, and examples; `lamina help examples` shows all examples.
example: lamina build image.json -o image.tar && lamina inspect image.tar && docker load < image.tar
exit status: 0 success, 1 bad input, 2 bad usage
"""

COMMANDS = (
    Command(
        "build",
        "write the archive of an image from its recipe",
        "lamina build image.json -o image.tar",
        program=("write the archive of the image to standard output", "{} | docker load"),
    ),
    Command(
        "convert",
        "write an image in another form, such as an OCI layout",
        "lamina convert image.json -o image.oci.tar --format oci-archive --layer-compressor zstd",
    ),
    Command(
        "index",
        "put the images of several platforms into one OCI archive or layout",
        "lamina index amd64.json arm64.json -o app.oci.tar",
    ),
    Command(
        "digest",
        "print the digest that an image has in a registry",
        "lamina digest image.json --layer-compressor zstd",
        program=("print the digest that the image has in a registry", "{} --json"),
    ),
    Command("merge", "put several images into one archive", "lamina merge a.tar b.tar -o ab.tar"),
    Command(
        "inspect",
        "show what an image contains",
        "lamina inspect image.tar --json",
        program=("show what the image contains", "{} --json"),
    ),
    Command("why", "show what brings a store path into an image", "lamina why image.json openssl"),
    Command("diff", "show what differs between two images, and what the update costs", "lamina diff old.json new.json"),
    Command(
        "verify",
        "check the structure and every digest of an image, and what consumers need",
        "lamina verify image.tar --for mesos,podman",
    ),
    Command("plan", "show which store paths are in each layer, and why", "lamina plan image.json"),
    Command(
        "load",
        "load an image into a daemon, sending only missing layers",
        "lamina load image.json",
        program=("load the image into a daemon, sending only missing layers", "{} --to podman"),
    ),
    Command(
        "push",
        "push an image to a registry, sending only missing layers",
        "lamina push image.json docker://registry.example/team/app:1.0",
        program=("push the image to a registry, sending only missing layers", "{} docker://registry.example/app:1.0"),
    ),
    Command(
        "attach",
        "put a document beside an image in a registry",
        "lamina attach docker://registry.example/app:1 sbom.json --type application/vnd.cyclonedx+json",
    ),
    Command(
        "provenance",
        "write how an image was built, as SLSA provenance",
        "lamina provenance image.json -o provenance.json",
    ),
    Command("serve", "serve images as a read-only registry", "lamina serve image.json --listen 127.0.0.1:5000"),
    Command("prefetch", "print the arguments for pullImage", "lamina prefetch redis:7"),
    Command(
        "check", "check an image against a policy: budgets, what is forbidden or required", "lamina check image.json"
    ),
    Command(
        "sbom", "write the bill of materials of an image", "lamina sbom image.json --format spdx -o image.spdx.json"
    ),
    Command(
        "report",
        "write a page about an image: sizes, references, differences",
        "lamina report image.json -o image.html",
    ),
    Command("export", "write the file system of an image as a plain tar", "lamina export image.tar -o fs.tar"),
    Command("completion", "print completions for a shell", "lamina completion bash >> ~/.bash_completion"),
    Command("man", "print a manual page", "lamina man diff | man -l -"),
)

INTERNAL_COMMANDS = (
    Command("recipe", "make a recipe inside a Nix derivation", "lamina recipe -o $out  # see nix/lib/recipe.nix"),
    Command("pack", "make a layer from directories", "lamina pack root -o layer.tar --uid 1000"),
    Command(
        "run-as-root",
        "make the layer of a script that runs as root on a base",
        "lamina run-as-root /bin/sh /script.sh --base base.tar -o layer.tar  # see nix/lib/run-as-root.nix",
    ),
    Command(
        "fake-root",
        "make a layer from a directory after a script that appears to run as root",
        "lamina fake-root root bash commands.sh -o layer.tar",
    ),
)
"""Commands that Nix derivations run; `lamina --help` does not list them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. An error is one line on standard error."""
    try:
        interrupt.raise_on_interrupt()
        _replace_closed_streams()
        status = _run(sys.argv[1:] if arguments is None else arguments)
        interrupt.exit_on_interrupt()
        return status
    except SystemExit:  # --help, --version and bad usage
        _flush_messages()
        interrupt.exit_on_interrupt()
        raise
    except KeyboardInterrupt as reason:
        note = f"; {reason}" if reason.args else ""
        _report(f"interrupted{note}")
        return interrupt.STATUS


def _run(words: Sequence[str]) -> int:
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # the locale may lack characters of a name
        if [word.lower() for word in words] == ["help", "examples"]:
            from lamina.commands.examples import show

            return show(COMMANDS)
        options = parse(words, COMMANDS, INTERNAL_COMMANDS, epilog=_EPILOG)
        if getattr(options, "quiet", False):
            from lamina.data.progress import silence

            silence()
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except LaminaError as error:
        _report(error)
        return error.exit_status
    except MemoryError as error:
        _report(_first_error(error))
        _discard(sys.stdout.fileno())
        return 1
    except BrokenPipeError:
        _discard(sys.stdout.fileno())
        return 1
    except OSError as error:
        _report(LaminaError(error.filename or "output", error.strerror or str(error)))
        _discard(sys.stdout.fileno())
        return 1


def _replace_closed_streams() -> None:
    """If a shell closed a stream (`>&-`), Python has None for it, and the next opened file would get its number.

    With the replacements, printing to closed standard output is an error, and messages for closed standard error are
    dropped.
    """
    if sys.stdout is None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 1)
        sys.stdout = os.fdopen(1, "w")
    if sys.stderr is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = os.fdopen(2, "w")


def _report(problem: object) -> None:
    """One line on standard error. The exit status stays the same if nobody can read it."""
    try:
        print(f"lamina: {problem}", file=sys.stderr)
    except OSError:
        _discard(sys.stderr.fileno())


def _flush_messages() -> None:
    """Write messages now. If that fails when Python ends, some versions change the exit status to 120."""
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr.fileno())


def _first_error(error: MemoryError) -> LaminaError:
    """The error to report. Cleaning up after it may need memory, too, and raise the MemoryError."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LaminaError):
            return cause
        cause = cause.__context__
    return LaminaError("the command", "out of memory", "give the build more memory")


def _discard(descriptor: int) -> None:
    """Redirect a full stream to /dev/null, so that Python does not write its buffer again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
