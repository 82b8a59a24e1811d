"""An ssh server on the loopback interface, for daemons that are reached through ssh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers.base import SYSTEM_PATH, answers, check, daemon, free_port

SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
MaxStartups 100
SetEnv {settings}
"""

CLIENT = """\
IdentityFile {directory}/user
IdentitiesOnly yes
UserKnownHostsFile {directory}/known
StrictHostKeyChecking yes
BatchMode yes
"""


@frozen
class Server:
    """A running sshd. `bin` has an `ssh` that its key is for."""

    directory: Path
    port: int

    @property
    def address(self) -> str:
        return f"ssh://root@127.0.0.1:{self.port}"

    @property
    def bin(self) -> Path:
        return self.directory / "bin"


@contextmanager
def started(directory: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """`settings` is the environment of programs that are run through ssh."""
    server = Server(directory, free_port())
    for key in ("host", "user"):
        check(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key])
    public = (directory / "host.pub").read_text()
    (directory / "known").write_text(f"[127.0.0.1]:{server.port} {public}")
    pairs = " ".join(f'"{name}={value}"' for name, value in {"PATH": SYSTEM_PATH, **settings}.items())
    configuration = directory / "sshd_config"
    configuration.write_text(SERVER.format(port=server.port, directory=directory, settings=pairs))
    (directory / "ssh_config").write_text(CLIENT.format(directory=directory))
    server.bin.mkdir()
    program = server.bin / "ssh"
    program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {directory}/ssh_config "$@"\n')
    program.chmod(0o755)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd does not start without it
    words: list[str | Path] = ["/usr/sbin/sshd", "-D", "-e", "-f", configuration]
    with daemon(words, directory, lambda: answers(server.port)):
        yield server
