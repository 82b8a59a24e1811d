"""podman: no daemon, but a store, a run directory and settings of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers.base import (
    HEAVY,
    QUICK,
    Completed,
    Form,
    Layout,
    Prefix,
    Verb,
    call,
    check,
    require_free,
    unique,
    version_in,
    wait_for_service,
)

# One line per name, or one line with all of them, depending on the version.
LOADED = re.compile(r"^Loaded image(?:\(s\))?: (.+)$", re.MULTILINE)

# podman's own default limits are above what a machine without CAP_SYS_RESOURCE may set. Its locks are files below its
# own directory, because those in shared memory are the whole machine's: a podman that starts on a new directory frees
# them all, those of another one too.
SETTINGS = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
"""


class OnStorage:
    """podman and buildah: a program without a daemon, on a store and with settings of its own."""

    directory: Path
    prefix: Prefix

    def program(self, *words: str | Path) -> list[str | Path]:
        """The command line that does `words` on this store."""
        raise NotImplementedError

    @property
    def env(self) -> dict[str, str]:
        settings = str(self.directory / "containers.conf")
        return {"CONTAINERS_CONF": settings, "TMPDIR": str(self.copies), "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}

    @property
    def copies(self) -> Path:
        """For archives unpacked and layers on their way: /var/tmp may be memory."""
        return self.directory / "copies"

    def prepare(self) -> None:
        (self.directory / "containers.conf").write_text(SETTINGS)
        self.copies.mkdir()
        self.check("version")

    def call(self, *words: str | Path, timeout: float = QUICK) -> Completed:
        return call(self.program(*words), timeout=timeout, env=self.env)

    def check(self, *words: str | Path, timeout: float = QUICK) -> str:
        return check(self.program(*words), timeout=timeout, env=self.env)

    def version(self) -> str:
        return version_in(self.check("--version"))


@frozen
class Podman(OnStorage):
    """podman on a store of its own."""

    directory: Path
    prefix: Prefix = ()
    cannot: Mapping[Verb, str] = {}
    layouts: tuple[Layout, ...] = ("oci-layout", "docker-archive")
    saves: tuple[Form, ...] = ("docker-archive", "oci-archive")

    def program(self, *words: str | Path) -> list[str | Path]:
        where: list[str | Path] = []
        for option, name in (("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")):
            where += [option, self.directory / name]
        return [*self.prefix, "podman", *where, "--storage-driver", "overlay", *words]

    def load(self, archive: Path) -> list[str]:
        lines = LOADED.findall(self.check("load", "--input", archive, timeout=HEAVY))
        return [name for line in lines for name in line.split(",")]

    def names(self) -> list[str]:
        images = json.loads(self.check("images", "--format", "json"))
        return sorted({name for image in images for name in image.get("Names") or []})

    def config_digest(self, name: str) -> str:
        return "sha256:" + self.check("image", "inspect", "--format", "{{.Id}}", name).strip()

    def run(self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK) -> Completed:
        """Run a container. On a busy machine podman may miss all of its output, which conmon writes to the log, too."""
        container = unique("run")
        try:
            words = ("run", "--name", container, "--network", "none", name, *(argv or []))
            done = self.call(*words, timeout=timeout)
            if done.returncode or done.stdout or done.stderr:
                return done
            logged = self.call("logs", container)
            return Completed(done.args, done.returncode, logged.stdout, logged.stderr)
        finally:
            self.destroy(container)

    @contextmanager
    def serve(self, name: str, port: int, timeout: float = QUICK) -> Iterator[None]:
        require_free(port)
        container = unique("serve")
        try:
            self.check("run", "--detach", "--name", container, "--network", "host", name)
            wait_for_service(name, port, timeout, lambda: self.running(container))
            yield
        finally:
            self.destroy(container)

    def running(self, container: str) -> bool:
        return self.check("inspect", "--format", "{{.State.Running}}", container).strip() == "true"

    def destroy(self, container: str) -> None:
        """A container that never came to be is not an error."""
        self.call("rm", "--force", "--volumes", "--time", "0", container)

    def save(self, name: str, target: Path, form: Form) -> None:
        self.check("save", "--format", form, "--output", target, name, timeout=HEAVY)

    def remove(self, name: str) -> None:
        self.check("rmi", name)


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Podman]:
    consumer = Podman(directory, prefix)
    consumer.prepare()
    yield consumer
