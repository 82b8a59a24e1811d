"""containerd, spoken to with its own `ctr`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

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
    manifest_config,
    require_free,
    unique,
    version_in,
    wait_for,
    wait_for_service,
)

# The shim starts this with a container's output and errors as descriptors 3 and 4, and waits until 5 is closed. It asks
# the program to end as soon as the container has ended, which may be too soon.
COPY_OUTPUT = """\
#!/bin/sh
trap '' TERM
cat <&3 >'{path}/out' 5>&- &
cat <&4 >'{path}/err' 5>&- &
exec 3<&- 4<&- 5>&-
wait
"""

# "unpacking docker.io/library/foo:1 (sha256:...)...done"
UNPACKED = re.compile(r"^unpacking (\S+) \(sha256:", re.MULTILINE)
# From 2.1 on "docker.io/library/foo:1     \tsaved": the beginning of the name, with blanks in the place of dashes.
SAVED = re.compile(r"^(.{40})\tsaved", re.MULTILINE)


@frozen
class Output:
    """The directory of what one container writes."""

    path: Path

    def uri(self) -> str:
        """What --log-uri takes."""
        program = self.path / "copy"
        program.write_text(COPY_OUTPUT.format(path=self.path))
        program.chmod(0o755)
        return f"binary://{program}"

    def read(self, name: str) -> str:
        """Nothing, where no container was started."""
        file = self.path / name
        return file.read_bytes().decode(errors="replace") if file.exists() else ""


@frozen
class Containerd:
    """A running containerd, seen through one of its namespaces."""

    directory: Path
    prefix: Prefix = ()
    namespace: str = "default"
    cannot: Mapping[Verb, str] = {}
    layouts: tuple[Layout, ...] = ("oci-layout", "docker-archive")
    saves: tuple[Form, ...] = ("oci-archive",)

    @property
    def socket(self) -> Path:
        return self.directory / "s"

    def ctr(self, *words: str | Path) -> list[str | Path]:
        return [*self.prefix, "ctr", "--address", self.socket, "--namespace", self.namespace, *words]

    def version(self) -> str:
        return version_in(check(self.ctr("version")).partition("Server:")[2])

    def load(self, archive: Path) -> list[str]:
        """An image without a name is collected at once, so it is not reported either."""
        said = check(self.ctr("images", "import", archive), timeout=HEAVY)
        saved = {beginning.rstrip() for beginning in SAVED.findall(said)}
        return UNPACKED.findall(said) + [name for name in self.names() if name.replace("-", " ")[:40].rstrip() in saved]

    def names(self) -> list[str]:
        return sorted(check(self.ctr("images", "list", "--quiet")).split())

    def config_digest(self, name: str) -> str:
        return self.config_behind(self.target(name))

    def config_behind(self, digest: str) -> str:
        return manifest_config(self.content, digest)

    def target(self, name: str) -> str:
        """The digest that the name stands for: a manifest's or an index's."""
        rows = check(self.ctr("images", "list", f"name=={name}")).splitlines()[1:]
        if not rows:
            raise ConsumerError(f"containerd holds no image {name}")
        return rows[0].split()[2]

    def content(self, digest: str) -> bytes:
        return check(self.ctr("content", "get", digest)).encode()

    def run(self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK) -> Completed:
        """The output goes to files through a program of ours: ctr 1.6 stops reading when the container ends."""
        container = unique("run")
        output = Output(self.directory / container)
        try:
            output.path.mkdir()
            words = self.ctr("run", "--rm", "--log-uri", output.uri(), name, container, *self.command(name, argv))
            done = call(words, timeout=timeout)
            return Completed(done.args, done.returncode, output.read("out"), output.read("err") + done.stderr)
        finally:
            self.destroy(container)
            shutil.rmtree(output.path)

    def command(self, name: str, argv: Sequence[str] | None) -> list[str]:
        """ctr takes words as the whole command line, so the image's Entrypoint goes before them."""
        if argv is None:
            return []
        config = json.loads(self.content(self.config_digest(name))).get("config") or {}
        return [*(config.get("Entrypoint") or []), *argv]

    @contextmanager
    def serve(self, name: str, port: int, timeout: float = QUICK) -> Iterator[None]:
        require_free(port)
        container = unique("serve")
        output = self.directory / container
        try:
            check(self.ctr("run", "--detach", "--net-host", "--log-uri", f"file://{output}", name, container))
            wait_for_service(name, port, timeout, lambda: self.running(container))
            yield
        finally:
            self.destroy(container)

    def running(self, container: str) -> bool:
        rows = [row.split() for row in check(self.ctr("tasks", "list")).splitlines()]
        return any(row[0] == container and row[-1] == "RUNNING" for row in rows)

    def destroy(self, container: str) -> None:
        """Every step may find nothing to do."""
        if container not in check(self.ctr("containers", "list", "--quiet")).split():
            return
        call(self.ctr("tasks", "kill", "--signal", "SIGKILL", container))
        wait_for(lambda: not self.running(container), f"end of {container}", QUICK)
        call(self.ctr("tasks", "delete", container))
        check(self.ctr("containers", "delete", container))

    def save(self, name: str, target: Path, form: Form) -> None:
        check(self.ctr("images", "export", target, name), timeout=HEAVY)

    def remove(self, name: str) -> None:
        check(self.ctr("images", "remove", "--sync", name))


CONFIG = """\
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{directory}/s"
[ttrpc]
  address = "{directory}/t"
"""


@contextmanager
def started(directory: Path, prefix: Prefix = (), namespace: str = "default") -> Iterator[Containerd]:
    configuration = directory / "containerd.toml"
    configuration.write_text(CONFIG.format(directory=directory))
    consumer = Containerd(directory, prefix, namespace)
    ready: Callable[[], bool] = lambda: call(consumer.ctr("version")).returncode == 0  # noqa: E731
    with daemon(["containerd", "--config", configuration], directory, ready, prefix=prefix):
        yield consumer
