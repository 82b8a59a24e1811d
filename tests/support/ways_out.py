"""Run as a script's program: tries to get out of the script's root, and prints each way that led out.

Arguments: the read-only store, a file in it, and a path that exists outside of the root only; then the ways to try,
if these are not all.
"""

import ctypes
import errno
import fcntl
import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

STORE, VICTIM, OUTSIDE, *NAMES = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
WAYS: list[Callable[[], object]] = []


def way(function: Callable[[], object]) -> Callable[[], object]:
    """A way out: what it returns, if that is true, is what was reached. An OSError is a refusal."""
    WAYS.append(function)
    return function


def call(name: str, *arguments: object) -> int:
    result: int = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mount(source: str, target: str, kind: str, flags: int) -> None:
    call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None)


def written(path: str) -> str:
    """Also if the mode forbids it, which root may change."""
    with suppress(OSError):
        os.chmod(path, 0o644)
    with open(path, "a") as file:
        file.write("changed\n")
    return path


def others() -> list[str]:
    """Processes that are not the script's: in its namespace that is number 1 only."""
    return sorted({name for name in os.listdir("/proc") if name.isdigit()} - {str(os.getpid())})


@way
def other_processes() -> list[str]:
    """A script may look at its own processes."""
    return [name for name in others() if name != "1" and not os.access(f"/proc/{name}/cwd/", os.F_OK)]


@way
def root_of_a_process() -> list[str]:
    return [name for name in others() if os.path.exists(f"/proc/{name}/root{OUTSIDE}")]


@way
def file_through_a_process() -> str:
    return written(f"/proc/1/root{OUTSIDE}")


@way
def directory_of_a_process() -> list[str]:
    return os.listdir("/proc/1/cwd/")


@way
def descriptors_of_a_process() -> list[str]:
    return [os.readlink(f"/proc/1/fd/{number}") for number in os.listdir("/proc/1/fd")]


@way
def write_to_a_descriptor() -> int:
    return sum(open(f"/proc/1/fd/{number}", "wb").write(b"x" * 100) for number in range(3, 20) if reachable(number))


def reachable(number: int) -> bool:
    try:
        os.stat(f"/proc/1/fd/{number}")
    except OSError:
        return False
    return True


@way
def environment_of_a_process() -> bytes:
    with open("/proc/1/environ", "rb") as file:
        return file.read()


@way
def memory_of_a_process() -> object:
    return open("/proc/1/mem", "r+b")


@way
def trace_a_process() -> bool:
    return call("ptrace", PTRACE_SEIZE, 1, None, None) == 0


@way
def attach_to_a_process() -> bool:
    return call("ptrace", PTRACE_ATTACH, 1, None, None) == 0


@way
def namespaces_of_a_process() -> list[str]:
    return [
        name for name in ("user", "mnt", "pid") if call("setns", os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0) == 0
    ]


@way
def own_descriptors() -> list[str]:
    links = [
        os.readlink(f"/proc/self/fd/{number}") for number in range(3, 100) if os.path.lexists(f"/proc/self/fd/{number}")
    ]
    return [link for link in links if not link.startswith(("/proc/", "pipe:"))]


@way
def standard_input() -> bytes:
    return os.read(0, 1)


@way
def write_to_the_store() -> str:
    return written(VICTIM)


@way
def new_file_in_the_store() -> object:
    return open(f"{STORE}/new", "w")


@way
def remount() -> str:
    mount("none", STORE, "", MS_REMOUNT | MS_BIND)
    return written(VICTIM)


@way
def remount_the_path_itself() -> str:
    mount("none", VICTIM, "", MS_REMOUNT | MS_BIND)
    return written(VICTIM)


@way
def bind_and_remount() -> str:
    os.makedirs("/elsewhere", exist_ok=True)
    mount(STORE, "/elsewhere", "", MS_BIND | MS_REC)
    mount("none", "/elsewhere", "", MS_REMOUNT | MS_BIND)
    return written("/elsewhere" + VICTIM.removeprefix(STORE))


@way
def unmount_the_store() -> bool:
    return call("umount2", STORE.encode(), 2) == 0


@way
def unmount_the_processes() -> bool:
    return call("umount2", b"/proc", 2) == 0


@way
def unmount_the_root() -> bool:
    return call("umount2", b"/", 2) == 0 and os.path.exists(OUTSIDE)


@way
def another_user_namespace() -> str:
    child = os.fork()
    if child == 0:
        try:
            call("unshare", 0x10020000)
            mount("none", STORE, "", MS_REMOUNT | MS_BIND)
            written(VICTIM)
            os._exit(7)
        except OSError:
            os._exit(0)
    return "store" if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7 else ""


@way
def second_chroot() -> bool:
    """The old way out of a chroot: keep a directory open, chroot below it, climb."""
    child = os.fork()
    if child == 0:
        top = os.open("/", os.O_RDONLY)
        os.makedirs("/jail", exist_ok=True)
        os.chroot("/jail")
        os.fchdir(top)
        for _ in range(100):
            os.chdir("..")
        os.chroot(".")
        os._exit(7 if os.path.exists(OUTSIDE) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@way
def the_file_itself() -> bool:
    return os.path.exists(OUTSIDE)


@way
def by_handle() -> int:
    return call("open_by_handle_at", -100, ctypes.create_string_buffer(64), 0)


@way
def keys_of_the_user() -> bool:
    number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
    return call("syscall", ctypes.c_long(number), 10, -3, b"user", b"lamina-wall", 0) > 0


@way
def devices_of_the_machine() -> list[str]:
    names = {"null", "zero", "full", "random", "urandom", "tty", "kvm", "fd", "stdin", "stdout", "stderr", "ptmx"}
    return sorted({*os.listdir("/dev")} - names - {"shm", "pts"})


@way
def terminals_of_others() -> list[str]:
    return sorted({*os.listdir("/dev/pts")} - {"ptmx"})


@way
def changed_devices() -> list[str]:
    """The devices in the script's /dev are the machine's own: their modes and times must stay."""
    paths = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "kvm")]
    return [path for path in filter(os.path.exists, paths) if changes_mode(path) or changes_times(path)]


def changes_mode(path: str) -> bool:
    with suppress(OSError):
        os.chmod(path, os.stat(path).st_mode & 0o7777)
        return True
    return False


def changes_times(path: str) -> bool:
    with suppress(OSError):
        os.utime(path)
        return True
    return False


@way
def a_device_of_ones_own() -> bytes:
    os.mknod("/memory", 0o600 | 0o020000, os.makedev(1, 5))
    with open("/memory", "rb") as file:
        return file.read(1)


@way
def type_into_the_terminal() -> list[int]:
    return [number for number in (0, 1, 2) if typed(number)]


def typed(number: int) -> bool:
    try:
        fcntl.ioctl(number, termios.TIOCSTI, b"x")
    except OSError:
        return False
    return True


@way
def settings_of_the_kernel() -> list[str]:
    found = []
    for name in ("sys/kernel/core_pattern", "sys/kernel/hostname", "sysrq-trigger", "sys/vm/drop_caches"):
        try:
            os.close(os.open(f"/proc/{name}", os.O_WRONLY))
        except OSError:
            continue
        found.append(name)
    return found


@way
def kill_the_supervisor() -> None:
    """It does not return anything: the layer would be missing."""
    for number in (1, -1):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL if number == 1 else signal.SIGCONT)


CHOSEN = [attempt for attempt in WAYS if not NAMES or attempt.__name__ in NAMES]
for attempt in CHOSEN:
    try:
        reached = attempt()
    except OSError as error:
        assert error.errno != errno.ENOSYS, attempt
        continue
    if reached:
        print(f"{attempt.__name__}: {reached!r:.200}", flush=True)
print("tried", len(CHOSEN))
