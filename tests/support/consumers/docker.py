"""The Docker daemon, with a containerd of its own so that it never joins the machine's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers import containerd
from tests.support.consumers.base import (
    HEAVY,
    QUICK,
    Completed,
    ConsumerError,
    Form,
    Layout,
    Prefix,
    Verb,
    call,
    check,
    daemon,
    require_free,
    unique,
    version_in,
    wait_for_service,
)
from tests.support.consumers.containerd import Containerd

LOADED = re.compile(r"^Loaded image(?: ID)?: (\S+)$", re.MULTILINE)
# What the daemon calls its containers in containerd, and with it its images when they are kept there.
NAMESPACE = "moby"

Features = Mapping[str, bool]

TO_FILES = "to-files"
"""A runtime: runc, but what a container writes goes to files and not through pipes that the daemon reads.

In one run of the tests, the logs of 2 containers of Docker 26 were empty though their programs print. It happened on a
busy machine, where the daemon may give up: it stops reading 2 seconds after the end of a container (moby
daemon/monitor.go, handleContainerExit), and closes the log 10 seconds later (container/monitor.go).
"""

# containerd's shim names the container last. The container has the standard output and errors of `runc create`.
RUNTIME = """\
#!/bin/sh
case " $* " in *' create '*) ;; *) exec runc "$@" ;; esac
for id; do :; done
exec runc "$@" >>'{directory}'/"$id".out 2>>'{directory}'/"$id".err
"""


@frozen
class Docker:
    """A running dockerd. `contents` is its containerd when images are kept there, as newer ones can."""

    directory: Path
    prefix: Prefix = ()
    contents: Containerd | None = None
    cannot: Mapping[Verb, str] = {}
    layouts: tuple[Layout, ...] = ("docker-archive",)
    saves: tuple[Form, ...] = ("docker-archive",)

    def docker(self, *words: str | Path) -> list[str | Path]:
        return [*self.prefix, "docker", "--host", self.host, "--config", self.directory / "client", *words]

    @property
    def host(self) -> str:
        return f"unix://{self.directory}/s"

    def version(self) -> str:
        return version_in(check(self.docker("version", "--format", "{{.Server.Version}}")))

    def load(self, archive: Path) -> list[str]:
        """From 28 on, docker exits 0 if an image cannot be unpacked, and prints an error."""
        printed = check(self.docker("load", "--input", archive), timeout=HEAVY)
        if "Error unpacking image" in printed:
            raise ConsumerError(printed)
        return LOADED.findall(printed)

    def names(self) -> list[str]:
        rows = check(self.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split()
        return sorted(row for row in rows if "<none>" not in row)

    def config_digest(self, name: str) -> str:
        """The image id is the config's digest in the classic store, the manifest's in containerd's."""
        image_id = check(self.docker("image", "inspect", "--format", "{{.Id}}", name)).strip()
        return self.contents.config_behind(image_id) if self.contents else image_id

    def run(
        self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK, options: Sequence[str] = ()
    ) -> Completed:
        """Run a container whose output goes to files, see `TO_FILES`; `options` are for `docker run`.

        With `--tty` it goes to a terminal, which only the daemon reads, and comes from the log.
        """
        container = unique("run")
        is_terminal = "--tty" in options
        runtime = () if is_terminal else ("--runtime", TO_FILES)
        words = ("run", "--detach", *runtime, "--name", container, "--network", "none", *options, name)
        try:
            created = call(self.docker(*words, *(argv or [])), timeout=timeout)
            if created.returncode:
                return created
            status = int(check(self.docker("wait", container), timeout=timeout))
            if is_terminal:
                return Completed(created.args, status, check(self.docker("logs", container)), "")
            return Completed(created.args, status, *self.take_output(created.stdout.strip()))
        finally:
            self.destroy(container)

    def take_output(self, identity: str) -> Iterator[str]:
        """What a container that has ended wrote to its output and errors; the files are removed."""
        for stream in ("out", "err"):
            file = self.directory / f"{identity}.{stream}"
            yield file.read_bytes().decode(errors="replace")
            file.unlink()

    @contextmanager
    def serve(self, name: str, port: int, timeout: float = QUICK) -> Iterator[None]:
        require_free(port)
        container = unique("serve")
        try:
            check(self.docker("run", "--detach", "--name", container, "--network", "host", name))
            wait_for_service(name, port, timeout, lambda: self.running(container))
            yield
        finally:
            self.destroy(container)

    def running(self, container: str) -> bool:
        return check(self.docker("inspect", "--format", "{{.State.Running}}", container)).strip() == "true"

    def destroy(self, container: str) -> None:
        """A container that never came to be is not an error."""
        call(self.docker("rm", "--force", "--volumes", container))

    def save(self, name: str, target: Path, form: Form) -> None:
        check(self.docker("save", "--output", target, name), timeout=HEAVY)

    def remove(self, name: str) -> None:
        check(self.docker("rmi", name))


@contextmanager
def started(directory: Path, prefix: Prefix = (), features: Features | None = None) -> Iterator[Docker]:
    """`features` is the daemon's own setting: {"containerd-snapshotter": True} keeps images in containerd."""
    key = Path("/etc/docker/key.json")  # Docker 20.10 leaves it there, whatever its options are
    had_key = key.exists()
    configuration = directory / "daemon.json"
    runtime = directory / TO_FILES
    runtime.write_text(RUNTIME.format(directory=directory))
    runtime.chmod(0o755)
    settings = {"runtimes": {TO_FILES: {"path": str(runtime)}}, "features": dict(features or {})}
    configuration.write_text(json.dumps(settings))
    below = directory / "c"
    below.mkdir()
    with containerd.started(below, prefix, NAMESPACE) as contents:
        in_containerd = bool(features and features.get("containerd-snapshotter"))
        consumer = Docker(directory, prefix, contents if in_containerd else None)
        argv: list[str | Path] = [
            "dockerd",
            *("--config-file", configuration),
            *("--host", consumer.host),
            *("--containerd", contents.socket),
            *("--data-root", directory / "data"),
            *("--exec-root", directory / "exec"),
            *("--pidfile", directory / "pid"),
            # No bridge and no firewall rules: containers have the host's network or none.
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
        ]
        with daemon(argv, directory, lambda: call(consumer.docker("version")).returncode == 0, prefix=prefix):
            yield consumer
        if not had_key:
            key.unlink(missing_ok=True)
