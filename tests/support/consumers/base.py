"""What the consumers share: running a program, keeping a daemon, and the verbs they all answer to."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from tests.support.consumers import leftovers

Prefix = tuple[str, ...]
Verb = Literal["load", "names", "config_digest", "run", "serve", "save", "remove"]
Layout = Literal["docker-archive", "oci-layout"]
Form = Literal["docker-archive", "oci-archive"]
Completed = subprocess.CompletedProcess[str]

APT = "apt-get install --no-install-recommends"

# The distribution's own programs first: a stray `docker` elsewhere on PATH may speak to another daemon.
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

# A program that looks at a consumer's state, or one that moves a whole image into it.
QUICK, HEAVY = 60.0, 600.0


class ConsumerError(Exception):
    """A consumer refused, failed or did not answer in time."""


class UnsupportedError(ConsumerError):
    """The consumer has no such verb; the message is what it says in `cannot`."""


class Consumer(Protocol):
    """The verbs. A name is always the consumer's own spelling, as `load` and `names` report it.

    `cannot` gives the reason for each verb that the consumer has not; `layouts` says which of the
    archive's layouts it reads, the first that is present being the one that it prefers; `saves` says in
    which forms it writes archives.
    """

    @property
    def cannot(self) -> Mapping[Verb, str]: ...

    @property
    def layouts(self) -> tuple[Layout, ...]: ...

    @property
    def saves(self) -> tuple[Form, ...]: ...

    def version(self) -> str:
        """What the program says of itself."""

    def load(self, archive: Path) -> list[str]:
        """Take the archive in; the names it reports, in its order (an id where there is no name)."""

    def names(self) -> list[str]:
        """All names it holds, sorted."""

    def config_digest(self, name: str) -> str:
        """`sha256:...` of the image's config: the image id of docker and podman."""

    def run(self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK) -> Completed:
        """Run without network; `argv` replaces the image's Cmd, its Entrypoint stays."""

    def serve(self, name: str, port: int, timeout: float = QUICK) -> AbstractContextManager[None]:
        """Run the image's own command on the host's network for as long as the `with` lasts."""

    def save(self, name: str, target: Path, form: Form) -> None:
        """Write one image, in a form out of `saves`, to a file that is not there yet."""

    def remove(self, name: str) -> None:
        """Forget one name."""


class Refusing:
    """Verbs that some consumers lack: each of them raises what `cannot` says."""

    cannot: Mapping[Verb, str]

    def run(self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK) -> Completed:
        raise UnsupportedError(self.cannot["run"])

    def serve(self, name: str, port: int, timeout: float = QUICK) -> AbstractContextManager[None]:
        raise UnsupportedError(self.cannot["serve"])

    def save(self, name: str, target: Path, form: Form) -> None:
        raise UnsupportedError(self.cannot["save"])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment with the system's programs first and no other daemon's address in it."""
    foreign = ("DOCKER_", "CONTAINER")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    inherited["PATH"] = f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}"
    return inherited | dict(extra or {})


def call(
    argv: Sequence[str | Path],
    *,
    timeout: float = QUICK,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
) -> Completed:
    """Run to the end, whatever the exit status.

    Output goes to files: a helper that outlives the program (conmon, a shim) would keep a pipe open,
    and reading it to its end would then hang for ever.
    """
    words = [str(word) for word in argv]
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        Path(stdin or os.devnull).open("rb") as source,
    ):
        process = subprocess.Popen(
            words, stdin=source, stdout=out, stderr=err, env=environment(env), start_new_session=True
        )
        try:
            status = process.wait(timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(QUICK)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise ConsumerError(f"{' '.join(words)}: no end after {timeout:g} s") from None
        out.seek(0)
        err.seek(0)
        output, errors = (stream.read().decode(errors="replace") for stream in (out, err))
        return Completed(words, status, output, errors)


def check(
    argv: Sequence[str | Path],
    *,
    timeout: float = QUICK,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
) -> str:
    """Standard output of a program that must succeed."""
    done = call(argv, timeout=timeout, env=env, stdin=stdin)
    if done.returncode:
        reason = done.stderr.strip() or done.stdout.strip()
        raise ConsumerError(f"{' '.join(done.args)}: exit {done.returncode}: {reason}")
    return done.stdout


def version_in(text: str) -> str:
    """The first version number, without what the distribution adds to it."""
    found = re.search(r"\d+(\.\d+)+", text)
    if not found:
        raise ConsumerError(f"no version in {text!r}")
    return found[0]


def wait_for(
    condition: Callable[[], bool], what: str, timeout: float, alive: Callable[[], bool] = lambda: True
) -> None:
    """Poll until `condition` holds; fail at the deadline, or as soon as it can no longer come true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if not alive():
            raise ConsumerError(f"{what}: it ended by itself")
        if time.monotonic() > deadline:
            raise ConsumerError(f"{what}: not after {timeout:g} s")
        time.sleep(0.02)


def wait_for_service(name: str, port: int, timeout: float, alive: Callable[[], bool]) -> None:
    wait_for(lambda: answers(port), f"{name} on port {port}", timeout, alive)


def unique(what: str) -> str:
    """A name for a container that no other run can have."""
    return f"{what}-{uuid.uuid4().hex[:12]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free(port: int) -> None:
    """A service that is already there would answer for the image under test."""
    if answers(port):
        raise ConsumerError(f"port {port} is already taken")


@contextmanager
def scratch(prefix: Prefix = ()) -> Iterator[Path]:
    """A directory for one consumer's sockets and data; nothing runs or is mounted below it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="lm-"))
    # A socket's address holds 107 bytes, and daemons put theirs some directories further down.
    if len(str(directory)) > 50:
        directory.rmdir()
        raise ConsumerError(f"{directory} is too long for sockets below it; set TMPDIR to a shorter one")
    try:
        yield directory
    finally:
        leftovers.clear(directory, prefix)
        shutil.rmtree(directory)


@contextmanager
def daemon(
    argv: Sequence[str | Path],
    directory: Path,
    ready: Callable[[], bool],
    *,
    env: Mapping[str, str] | None = None,
    prefix: Prefix = (),
) -> Iterator[None]:
    """Keep a daemon while the `with` lasts, and no longer than this process; its output is in `directory`/log."""
    log = directory / "log"
    words = ["setpriv", "--pdeathsig", "TERM", *prefix, *argv]
    with in_background(words, log, env=env) as process:
        try:
            wait_for(ready, f"start of {argv[0]}", QUICK, alive=lambda: process.poll() is None)
        except ConsumerError as error:
            raise ConsumerError(f"{error}\n{log.read_text(errors='replace')[-2000:]}") from None
        yield


@contextmanager
def in_background(
    argv: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own that is stopped at the end of the block; its output is added to `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(env),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a session's leader to end, and end the whole session when it does not."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(QUICK)


def manifest_config(read: Callable[[str], bytes], digest: str) -> str:
    """The config digest behind a manifest, or behind the first image of an index.

    `read` gives the bytes of a digest. An index may carry entries that are no images (attestations).
    """
    document: dict[str, Any] = json.loads(read(digest))
    while "manifests" in document:
        images = [entry for entry in document["manifests"] if entry["mediaType"] in MANIFEST_TYPES]
        if not images:
            raise ConsumerError(f"{digest} is an index without an image")
        document = json.loads(read(images[0]["digest"]))
    config: str = document["config"]["digest"]
    return config
