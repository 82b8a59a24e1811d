"""Scripts that seem to be root: what they do to files is recorded, shown to them, and lands in the layer.

With the machine's own programs: bash and coreutils (dynamic, glibc), busybox (static).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.fake_root import PYTHON, Script, need_busybox, need_namespaces, owner, python
from tests.support.fixtures import Command


@pytest.mark.parametrize("program", ["", "busybox "])
def test_owners_and_modes(fake_root: Script, program: str) -> None:
    """By programs that fakeroot's library reaches and by one that it does not; set-id bits after chown, as always."""
    if program:
        need_busybox()
    layer = fake_root(
        f"""
        mkdir d; echo x > f; ln -s nowhere l; echo x > kept
        {program}chown 12:34 d; {program}chmod 2750 d
        {program}chown 1000:1001 f; {program}chmod 4711 f
        {program}chown -h 5:6 l
        {program}chown :77 kept
        [ "$({program}stat -c %u:%g:%a f)" = 1000:1001:4711 ]
        [ "$({program}stat -c %u:%g:%a d)" = 12:34:2750 ]
        [ "$({program}stat -c %u:%g l)" = 5:6 ]
        """
    )
    assert owner(layer["d"]) == (12, 34, 0o2750)
    assert owner(layer["f"]) == (1000, 1001, 0o4711)
    assert owner(layer["l"])[:2] == (5, 6)
    assert owner(layer["kept"])[:2] == (0, 77)
    assert {member.mtime for member in layer.values()} == {1}


def test_a_program_loses_its_set_id_bits_with_its_owner(fake_root: Script) -> None:
    layer = fake_root("touch f g; chmod 6755 f; chown 1 f; chmod 2644 g; chown 1 g")
    assert (layer["f"].mode, layer["g"].mode) == (0o755, 0o2644)


def test_devices_and_pipes(fake_root: Script) -> None:
    layer = fake_root(
        """
        mknod null c 1 3; mknod disk b 259 70000; mkfifo pipe; mknod p2 p
        chown 0:6 disk; chmod 660 disk
        [ -c null ] && [ -b disk ] && [ -p pipe ]
        [ "$(stat -c %t:%T disk)" = 103:11170 ]
        """
    )
    null, disk = layer["null"], layer["disk"]
    assert (null.type, null.devmajor, null.devminor) == (tarfile.CHRTYPE, 1, 3)
    assert (disk.type, disk.devmajor, disk.devminor) == (tarfile.BLKTYPE, 259, 70000)
    assert owner(disk) == (0, 6, 0o660)
    assert [layer[name].type for name in ("pipe", "p2")] == [tarfile.FIFOTYPE] * 2


ATTRIBUTES = """
import errno, os
def refused(number, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError(arguments)
os.setxattr("f", "security.capability", bytes(20))
os.setxattr("f", "user.one", b"1")
os.setxattr("f", "user.one", b"2", os.XATTR_REPLACE)
refused(errno.EEXIST, os.setxattr, "f", "user.one", b"3", os.XATTR_CREATE)
refused(errno.ENODATA, os.setxattr, "f", "user.two", b"3", os.XATTR_REPLACE)
refused(errno.EOPNOTSUPP, os.setxattr, "f", "trusted.x", b"3")
refused(errno.EPERM, os.setxattr, "l", "user.x", b"3", follow_symlinks=False)
refused(errno.EINVAL, os.setxattr, ".", "security.capability", b"3")
assert sorted(os.listxattr("l")) == ["security.capability", "user.one"]
assert os.listxattr("l", follow_symlinks=False) == []
with open("f") as file:
    assert os.getxattr(file.fileno(), "user.one") == b"2"
os.setxattr("f", "user.gone", b"")
os.removexattr("f", "user.gone")
refused(errno.ENODATA, os.removexattr, "f", "user.gone")
refused(errno.ENODATA, os.getxattr, "f", "user.gone")
refused(errno.ENOENT, os.setxattr, "nothing", "user.x", b"")
"""


def test_extended_attributes(fake_root: Script) -> None:
    layer = fake_root("touch f; ln -s f l\n" + python(ATTRIBUTES))
    prefix = "SCHILY.xattr."
    assert layer["f"].pax_headers == {f"{prefix}security.capability": "\0" * 20, f"{prefix}user.one": "2"}
    assert layer["l"].pax_headers == {}


def test_a_new_file_does_not_inherit_from_one_that_is_gone(fake_root: Script) -> None:
    """File systems give numbers of deleted files to new ones."""
    layer = fake_root(
        f"""
        for n in 1 2 3 4 5 6 7 8; do touch f$n; mkdir d$n; done
        chown 7 f? d?; chmod 4755 f?
        rm f1 f2; rmdir d1; rm -r d2
        touch new; mv new f3
        {PYTHON} -c 'import os; os.unlink("f4"); os.rmdir("d3"); os.open("f4", os.O_CREAT); os.mkdir("d3")'
        for n in 1 2 3 4 5 6 7 8; do touch g$n; mkdir e$n; done
        """
    )
    marked = {name for name, member in layer.items() if member.uid or member.mode & 0o4000}
    assert marked == {"f5", "f6", "f7", "f8", "d4", "d5", "d6", "d7", "d8"}


REUSE = """
import os
def a_file(name): os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
def a_link(name): os.symlink("x", name)
def until_reused(make, take_away, again):
    for attempt in range(50):
        make("old")
        os.chown("old", 7, 8, follow_symlinks=False)
        number = os.lstat("old").st_ino
        take_away("old")
        name = f"{make.__name__}-{again.__name__}-{take_away.__name__}-{attempt}"
        again(name)
        if os.lstat(name).st_ino == number:
            break
def replace(name):
    a_file("given")
    os.replace("given", name)
    os.rename(name, f"replaced-{len(os.listdir())}")
for again in (a_file, os.mkdir, a_link):
    until_reused(a_file, os.unlink, again)
    until_reused(a_file, replace, again)
    until_reused(a_link, os.unlink, again)
    until_reused(os.mkdir, os.rmdir, again)
for turn in range(20):  # two names of a file, taken at the same time
    for n in range(8):
        a_file(f"a{n}"); os.chown(f"a{n}", 7, 7); os.link(f"a{n}", f"b{n}")
        a_file(f"a{n}-other"); a_file(f"b{n}-other")
    ready, go = os.pipe()
    for side in "ab":
        if not os.fork():
            os.close(go)
            os.read(ready, 1)
            for n in range(8):
                if turn % 2:
                    os.unlink(f"{side}{n}")
                else:
                    os.replace(f"{side}{n}-other", f"{side}{n}")
            os._exit(0)
    os.close(go)
    os.close(ready)
    for _ in "ab":
        os.wait()
    os.mkdir(f"turn{turn}")
    for n in range(8):
        a_file(f"turn{turn}/new{n}")
    for name in os.listdir():
        if name[:1] in "ab" and name[1:2].isdigit():
            os.rename(name, f"turn{turn}/{name}")
"""


def test_no_new_file_inherits_whatever_its_number(fake_root: Script) -> None:
    """With each kind of file, and each way to lose the last name; until the file system gave the number again."""
    layer = fake_root(python(REUSE))
    assert len(layer) > 160 and {owner(member)[:2] for member in layer.values()} == {(0, 0)}


def test_a_file_keeps_its_owner_while_it_has_a_name(fake_root: Script) -> None:
    """Also when several take away one and the same name."""
    take = "for n in 1 2 3 4 5 6 7 8 9; do rm -f a$n & rm -f a$n & done; wait"
    layer = fake_root(f"for n in 1 2 3 4 5 6 7 8 9; do touch a$n; chown 7 a$n; ln a$n b$n; done; {take}")
    assert {name: member.uid for name, member in layer.items()} == {f"b{n}": 7 for n in range(1, 10)}


def test_a_renamed_file_keeps_its_owner(fake_root: Script) -> None:
    layer = fake_root("touch a b c; chown 1 a; chown 2 b; chown 3 c; ln a hard; mv b c; mv a d; rm hard")
    assert {name: member.uid for name, member in layer.items()} == {"c": 2, "d": 1}


IDENTITY = """
import os
assert os.getresuid() == (0, 0, 0) == os.getresgid()
os.setgroups([4, 5]); os.setgid(20); os.seteuid(33)
assert (os.getuid(), os.geteuid(), os.getgid(), os.getgroups()) == (0, 33, 20, [4, 5])
refused = (lambda: os.setuid(44), lambda: os.setgroups([]), lambda: os.chown("/", 1, 1), lambda: os.setresgid(1, 1, 1))
for call in refused:
    try:
        call()
    except PermissionError:
        continue
    raise AssertionError(call)
child = os.fork()
if child == 0:
    assert os.geteuid() == 33
    os.seteuid(0); os.setuid(34)
    os._exit(os.getresuid() != (34, 34, 34))
assert os.waitpid(child, 0)[1] == 0
assert os.geteuid() == 33
os.seteuid(0); os.setreuid(1, 2)
assert os.getresuid() == (1, 2, 2)
"""


def test_becoming_somebody(fake_root: Script) -> None:
    fake_root(python(IDENTITY))


MAKING = """
import os
os.mkdir("roots"); os.close(os.open("kept", os.O_CREAT))
os.setgroups([]); os.setresgid(20, 20, 20); os.setresuid(33, 33, 33)
os.mkdir("d"); os.symlink("d", "l"); os.mkfifo("p"); open("d/f", "w").close(); open("kept", "a").close()
with open("l/g", "x") as file:
    assert (os.fstat(file.fileno()).st_uid, os.fstat(file.fileno()).st_gid) == (33, 20)
if os.fork() == 0:
    os.execvp("sh", ["sh", "-c", "echo x > of-child; mkdir -p d/e; cp /bin/sh copied; ln copied linked; mv d/f moved"])
os.wait()
os.chown("d", 33, 20)
"""


def test_files_belong_to_the_user_that_their_maker_seems_to_be(fake_root: Script) -> None:
    layer = fake_root(python(MAKING) + "touch roots/again")
    owners = {name: (member.uid, member.gid) for name, member in layer.items()}
    mine = {"d", "d/e", "d/g", "l", "p", "of-child", "copied", "linked", "moved"}
    assert owners == dict.fromkeys(mine, (33, 20)) | dict.fromkeys(("roots", "roots/again", "kept"), (0, 0))


THREADS = """
import os, signal, threading
count = 0
def tick(*_):
    global count
    count += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
def work(start):
    for n in range(start, start + 50):
        os.close(os.open(f"t{n}", os.O_CREAT))
        os.chown(f"t{n}", n, n)
        assert os.stat(f"t{n}").st_uid == n
threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(1, 4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
while count <= 3:  # a busy machine combines signals
    os.chown("t100", 100, 100)
signal.setitimer(signal.ITIMER_REAL, 0)
thread = threading.Thread(target=lambda: os.execvp("true", ["true"]))
thread.start(); thread.join()
"""


def test_many_processes_and_threads_and_signals(fake_root: Script) -> None:
    """Threads, and programs that a thread other than the first one turns into, go on."""
    processes = "mkdir d; for n in $(seq 40); do (touch d/$n; chown $n d/$n; exec true) & done; wait\n"
    layer = fake_root(processes + python(THREADS))
    assert all(layer[f"d/{n}"].uid == n for n in range(1, 41))
    assert all(layer[f"t{n}"].uid == n for start in (100, 200, 300) for n in range(start, start + 50))


SIGNALS = """
import os, signal, time
seen = set()
signal.signal(signal.SIGUSR1, lambda *_: seen.add(turn))
for turn in range(100):
    child = os.fork()
    if child == 0:
        os.kill(os.getppid(), signal.SIGUSR1)
        os._exit(0)
    end = time.monotonic() + 10
    while turn not in seen and time.monotonic() < end:
        for _ in range(20):
            os.stat("/")
    os.waitpid(child, 0)
assert seen == set(range(100)), len(seen)
"""


def test_no_signal_is_lost(fake_root: Script) -> None:
    """Nearly all of them come while a call is looked at."""
    fake_root(python(SIGNALS))


def test_hard_links_stay_one_file(fake_root: Script) -> None:
    layer = fake_root("echo x > b; ln b a; mkdir d; ln b d/c; chown 9 b")
    assert (layer["a"].type, layer["a"].uid) == (tarfile.REGTYPE, 9)
    assert [(layer[name].type, layer[name].linkname) for name in ("b", "d/c")] == [(tarfile.LNKTYPE, "a")] * 2


def test_unreadable_files(fake_root: Script) -> None:
    layer = fake_root("mkdir d; echo secret > d/f; chmod 0 d/f; chmod 0 d; cat d/f; ls -l d")
    assert (layer["d"].mode, layer["d/f"].mode, layer["d/f"].size) == (0, 0, 7)


CHROOTED = """
echo x > /made; chown 3:4 /made
echo > /dev/null
read -r id rest < /proc/self/stat; echo $$ $id > /pids
echo > $NIX_BUILD_TOP/seen
for path in a/file b c/file; do read -r line < $NIX_STORE/$path; echo $line >> /read; done
if echo x > $NIX_STORE/a/file; then exit 3; fi
if echo x > $NIX_STORE/b; then exit 4; fi
"""


@pytest.mark.parametrize("own", [(), ("d/file",)])
def test_in_a_root_of_its_own(own: tuple[str, ...], tmp_path: Path) -> None:
    """Absolute paths are the image's; /proc, /dev and the store are there, and none of them is in the layer.

    Store paths that the image has itself are seen beside those of the machine, and stay.
    """
    need_namespaces()
    root, store, top = tmp_path / "root", tmp_path / "nix/store", tmp_path / "build"
    (root / "bin").mkdir(parents=True)
    shutil.copy(need_busybox(), root / "bin/sh")
    files = {store / "a/file": "A", store / "b": "B", **{Path(f"{root}{store}", name): "own" for name in own}}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (store / "c").symlink_to("a")
    top.mkdir()
    (top / "script").write_text(CHROOTED + "".join(f"read -r line < $NIX_STORE/{name}\n" for name in own))
    environment = {**os.environ, "NIX_BUILD_TOP": str(top), "NIX_STORE": str(store)}
    arguments = ["root", "/bin/sh", str(top / "script"), "-o", "layer.tar", "--chroot"]
    command = [PYTHON, "-m", "lamina", "fake-root", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "layer.tar") as archive:
        kept = [str(Path(f"{store}", name)).lstrip("/") for name in own]
        assert [member.name for member in archive if member.isreg()] == sorted(
            ["bin/sh", "made", "pids", "read", *kept]
        )
        assert archive.getmember("made").uid == 3
        files_read = [archive.extractfile(name) for name in ("pids", "read")]
        assert [file and file.read() for file in files_read] == [b"2 2\n", b"A\nB\nA\n"]
    assert (top / "seen").exists()
    assert sorted(os.listdir(store)) == ["a", "b", "c"]


@pytest.mark.parametrize(("script", "status"), [("echo printed; exit 7", 7), ("false", 1), ("kill -9 $$", 137)])
def test_a_script_that_fails(script: str, status: int, lamina: Command, tmp_path: Path) -> None:
    need_namespaces()
    (tmp_path / "root").mkdir()
    (tmp_path / "script").write_text(script)
    done = lamina("fake-root", "root", shutil.which("bash"), "script", "-o", "layer.tar")
    assert done.returncode == status
    assert done.stderr.decode().splitlines()[-1] == (
        f"lamina: fakeRootCommands: the script failed with exit status {status}; "
        "its output is above; `set -x` in its first line shows each command"
    )
    assert not (tmp_path / "layer.tar").exists()


def test_what_cannot_be_in_an_image(lamina: Command, tmp_path: Path) -> None:
    need_namespaces()
    (tmp_path / "root").mkdir()
    (tmp_path / "script").write_text("touch .wh.x")
    done = lamina("fake-root", "root", shutil.which("bash"), "script", "-o", "layer.tar")
    assert (done.returncode, b"the file's name starts with .wh." in done.stderr) == (1, True)


def test_without_user_namespaces(tmp_path: Path) -> None:
    """The setting that forbids them is named."""
    need_namespaces()
    (tmp_path / "root").mkdir()
    (tmp_path / "script").write_text("true")
    inner = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {PYTHON} -m lamina fake-root root bash script -o out"
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", inner]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "lamina: user namespace: refused: No space left on device; they are off: "
        "sysctl user.max_user_namespaces=10000 turns them on\n"
    )
