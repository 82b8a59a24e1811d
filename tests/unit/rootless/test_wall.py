"""The wall around scripts: each known way out of the root is tried, as root and as an ordinary user."""

from __future__ import annotations

import ctypes
import os
import platform
import pty
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.builds import ROOT
from tests.support.fake_root import need_namespaces
from tests.support.needs import absent, need_writable

WAYS_OUT = ROOT / "tests/support/ways_out.py"
PYTHON = "/usr/bin/python3"
"""The machine's own: an ordinary user may not be able to read the one that runs the tests."""
LIBRARIES = f"{ROOT / 'builder'}:{Path(attrs.__file__).parents[1]}"
USER = 65534
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "NIX_STORE": "/usr", "PYTHONPATH": LIBRARIES, "HOME": "/"}
ALL_TRIED = f"tried {WAYS_OUT.read_text().count('@way')}\n"


@attrs.frozen
class Place:
    """Where a test runs: a directory of the user's, and what Lamina is started with."""

    directory: Path
    user: int

    def run(self, *words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        """`lamina` with these words, as the user. /usr takes the place of the store, so Python is in the root."""
        options = {"capture_output": True, "timeout": 100, "env": ENVIRONMENT} | options
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [PYTHON, "-m", "lamina", *words], cwd=self.directory, **self.identity, **options
        )

    @property
    def identity(self) -> dict[str, object]:
        """Options of subprocess."""
        return {} if self.user == os.geteuid() else {"user": self.user, "group": self.user, "extra_groups": []}


@pytest.fixture(params=["root", "user"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A directory with `root`, which has links to the machine's programs in /usr, and a file outside of it."""
    need_namespaces()
    if not Path(PYTHON).exists() or not Path("/bin").is_symlink():
        absent("no /usr/bin/python3 here, or a machine whose /bin is not in /usr: these tests use Debian's layout")
    user = os.geteuid() if request.param == "root" else USER
    if user != os.geteuid() and os.geteuid():
        absent("these tests run as root, or as an ordinary user: here only as the latter")
    directory = Path(tempfile.mkdtemp(prefix="lamina-wall-"))
    try:
        root = directory / "root"
        root.mkdir()
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        shutil.copy(WAYS_OUT, root)
        (directory / "outside").write_text("outside\n")
        os.chown(directory, user, user)
        made = Place(directory, user)
        if b"lamina" not in made.run("--version").stdout:
            absent("the checkout cannot be read by an ordinary user here")
        yield made
    finally:
        shutil.rmtree(directory)


def add_key() -> None:
    """Put a key into the session's keyring. In some containers that is forbidden."""
    number = {"x86_64": 248, "aarch64": 217}[platform.machine()]
    key = ctypes.c_char_p(b"user"), ctypes.c_char_p(b"lamina-wall"), ctypes.c_char_p(b"secret"), ctypes.c_size_t(6)
    ctypes.CDLL(None).syscall(ctypes.c_long(number), *key, ctypes.c_int(-3))


def script(place: Place, text: str) -> tuple[str, ...]:
    (place.directory / "root/script").write_text(text)
    return ("fake-root", "root", "/bin/bash", "/script", "--chroot", "-o", "layer.tar")


def attack(place: Place, victim: Path) -> tuple[str, ...]:
    return script(place, f"exec /usr/bin/python3 /ways_out.py /usr {victim} {place.directory}/outside")


@pytest.fixture
def victim(place: Place) -> Iterator[Path]:
    """An empty file in the store that belongs to the user who builds, as in a store of one user."""
    if os.geteuid():
        yield Path("/usr/bin/python3")
        return
    need_writable("/usr/lib")
    path = Path("/usr/lib", place.directory.name)
    path.write_text("")
    os.chown(path, place.user, place.user)
    try:
        yield path
        assert path.read_text() == ""
    finally:
        path.unlink()


def test_no_way_leads_out(place: Place, victim: Path) -> None:
    """Also with a descriptor of a directory outside and a standard input that must not reach the script."""
    directory = os.open(place.directory, os.O_RDONLY)
    add_key()
    with open("/proc/version", "rb") as typed:
        done = place.run(*attack(place, victim), pass_fds=(directory,), stdin=typed)
    os.close(directory)
    assert (done.stdout.decode(), done.stderr.decode(), done.returncode) == (ALL_TRIED, "", 0)
    assert (place.directory / "outside").read_text() == "outside\n"


def test_no_way_leads_into_the_terminal(place: Place, victim: Path) -> None:
    """A terminal passes on what a process of its session types into it, to the shell that started Lamina."""
    master, terminal = pty.openpty()
    command = attack(place, victim)
    made = ["setsid", "--ctty", "--wait", PYTHON, "-m", "lamina", *command]
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    done = subprocess.run(made, cwd=place.directory, env=ENVIRONMENT, timeout=100, **streams, **place.identity)  # type: ignore[call-overload]
    assert done.returncode == 0
    os.close(terminal)
    assert os.read(master, 1000) == ALL_TRIED.replace("\n", "\r\n").encode()
    os.close(master)


def test_the_supervisor_survives(place: Place) -> None:
    """Signals to everything that the script can name reach the script's own processes only."""
    text = "sleep 100 & for n in $(seq 1 64); do kill -$n 1; done; kill -9 -1; echo alive > /made"
    assert place.run(*script(place, text)).returncode == 0
    assert place.run(*script(place, "kill -9 0")).returncode == 137


MACHINE = """
for place in / /etc /root /usr/lib /var/lib /dev /sys/fs/cgroup; do
  if { : > $place/lamina-wall; } 2>/dev/null; then echo "wrote to $place"; rm -f $place/lamina-wall; fi
done
if mount -o remount,rw / 2>/dev/null || mount -o bind,remount,rw / 2>/dev/null; then echo "mounted"; fi
if { echo 1 > /proc/sys/kernel/sysrq; } 2>/dev/null; then echo "changed the kernel"; fi
: > /dev/null
: > /tmp/$NAME.file; rm /tmp/$NAME.file
: > $TMPDIR/temporary
: > file
chown 5:6 file
"""


@pytest.mark.parametrize("place", ["root"], indirect=True)
def test_the_machine_is_read_only_for_scripts_without_a_root_of_their_own(place: Place) -> None:
    """`fakeRootCommands` where Nix builds as root and has no sandbox: all but the directories of the build."""
    (place.directory / "script").write_text(MACHINE)
    (place.directory / "tree").mkdir()
    need_writable("/var/lib")
    temporary = Path(tempfile.mkdtemp(dir="/var/lib"))
    try:
        words = ("fake-root", "tree", "/bin/bash", "script", "-o", "layer.tar")
        done = place.run(*words, env={**ENVIRONMENT, "TMPDIR": str(temporary), "NAME": place.directory.name})
        assert (done.stdout.decode(), done.stderr.decode(), done.returncode) == ("", "", 0)
        assert [path.name for path in temporary.iterdir()] == ["temporary"]
    finally:
        shutil.rmtree(temporary)
    with tarfile.open(place.directory / "layer.tar") as layer:
        assert [(member.name, member.uid, member.gid) for member in layer] == [("file", 5, 6)]
