"""Files that a script creates in unusual ways: with set-id bits, without a name, by a user who is not root."""

from __future__ import annotations

import pytest

from tests.support.fake_root import Script, owner, python

CALLS = """
import ctypes, errno, os, platform, stat, struct
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
AT_FDCWD, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = -100, 0x400, 0x1000
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def openat2(path, flags, mode):
    return call(437, AT_FDCWD, path.encode(), struct.pack("=QQQ", flags, mode, 0), ctypes.c_size_t(24))
def give_name(descriptor, name):
    link = f"/proc/self/fd/{descriptor}".encode()
    if libc.linkat(AT_FDCWD, link, AT_FDCWD, name.encode(), AT_SYMLINK_FOLLOW):
        raise OSError(ctypes.get_errno(), name)
def shown(path):
    info = os.stat(path)
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)
def become(uid, gid):
    os.setgroups([]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
"""

SET_ID = """
os.umask(0)
os.close(os.open("openat", os.O_CREAT | os.O_WRONLY, 0o4755))
os.close(openat2("openat2", os.O_CREAT | os.O_WRONLY, 0o6755))
if x86:
    os.close(call(2, b"open", os.O_CREAT | os.O_WRONLY, 0o2755))
    os.close(call(85, b"creat", 0o4711))
else:
    os.close(os.open("open", os.O_CREAT | os.O_WRONLY, 0o2755))
    os.close(os.open("creat", os.O_CREAT | os.O_WRONLY, 0o4711))
assert [shown(name)[2] for name in ("openat", "openat2", "open", "creat")] == [0o4755, 0o6755, 0o2755, 0o4711]
# What is there already keeps its mode, and a mode without O_CREAT means nothing.
os.close(os.open("plain", os.O_CREAT, 0o644))
os.close(os.open("plain", os.O_CREAT | os.O_WRONLY, 0o4755))
os.close(os.open("plain", os.O_WRONLY, 0o4755))
# Afterwards they are like all others: chmod and chown take the bits away.
for name in ("taken", "changed"):
    os.close(os.open(name, os.O_CREAT, 0o4755))
os.chmod("taken", 0o755)
os.chown("changed", 5, 5)
assert shown("taken")[2] == shown("changed")[2] == 0o755
try:
    openat2("bad", os.O_RDONLY, 0o4755)
except OSError as error:
    assert error.errno == errno.EINVAL
else:
    raise AssertionError
"""


def test_set_id_bits_of_new_files(fake_root: Script) -> None:
    layer = fake_root(python(CALLS + SET_ID))
    modes = {name: member.mode for name, member in layer.items()}
    assert modes == {
        "openat": 0o4755,
        "openat2": 0o6755,
        "open": 0o2755,
        "creat": 0o4711,
        "plain": 0o644,
        "taken": 0o755,
        "changed": 0o755,
    }


NAMELESS = """
def nameless(mode=0o640):
    return os.open(".", os.O_TMPFILE | os.O_RDWR, mode)
descriptor = nameless()
give_name(descriptor, "plain")
descriptor = nameless()
os.fchown(descriptor, 11, 12)
os.fchmod(descriptor, 0o4750)
os.setxattr(descriptor, "user.x", b"1")
info = os.fstat(descriptor)
assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (11, 12, 0o4750)
assert os.getxattr(descriptor, "user.x") == b"1"
give_name(descriptor, "given")
assert shown("given") == (11, 12, 0o4750)
os.link("given", "second")
give_name(nameless(0o6711), "set-id")
for n in range(50):  # a number that a file without a name had may come again
    descriptor = nameless()
    os.fchown(descriptor, 7, 7)
    os.close(descriptor)
    give_name(nameless(), f"reused-{n}")
for n in range(20):
    name = f"deleted-{n}"
    kept = os.open(name, os.O_CREAT | os.O_RDWR)
    os.unlink(name)
    os.fchown(kept, 8, 8)
    os.close(kept)
    give_name(nameless(), name)
if os.fork() == 0:
    become(33, 34)
    give_name(nameless(), "of-user")
    os.close(openat2("of-user-too", os.O_CREAT | os.O_WRONLY, 0o4755))
    give_name(openat2(".", os.O_TMPFILE | os.O_RDWR, 0o600), "of-user-as-well")
    os._exit(0)
assert os.wait()[1] == 0
"""


def test_files_that_get_a_name_later(fake_root: Script) -> None:
    """O_TMPFILE, then linkat(2): the file keeps what was set before it had a name."""
    layer = fake_root("umask 0\n" + python(CALLS + NAMELESS))
    assert owner(layer["plain"]) == (0, 0, 0o640)
    assert owner(layer["given"]) == (11, 12, 0o4750)
    assert layer["given"].pax_headers == {"SCHILY.xattr.user.x": "1"}
    assert layer["second"].islnk() and layer["second"].linkname == "given"
    assert owner(layer["set-id"]) == (0, 0, 0o6711)
    assert owner(layer["of-user"]) == (33, 34, 0o640)
    assert owner(layer["of-user-too"]) == (33, 34, 0o4755)
    assert owner(layer["of-user-as-well"]) == (33, 34, 0o600)
    others = [member for name, member in layer.items() if name.startswith(("reused", "deleted"))]
    assert len(others) == 70 and {owner(member)[:2] for member in others} == {(0, 0)}


@pytest.mark.parametrize("flags", ["AT_SYMLINK_FOLLOW", "AT_EMPTY_PATH"])
def test_other_links_are_links(fake_root: Script, flags: str) -> None:
    text = f"""
os.close(os.open("one", os.O_CREAT)); os.chown("one", 3, 4); os.symlink("one", "link")
if {flags} == AT_EMPTY_PATH:
    result = libc.linkat(os.open("one", os.O_RDONLY), b"", AT_FDCWD, b"two", {flags})
else:
    result = libc.linkat(AT_FDCWD, b"link", AT_FDCWD, b"two", {flags})
assert result == 0 or ctypes.get_errno() in (errno.ENOENT, errno.EPERM), ctypes.get_errno()
if result:
    os.link("one", "two")
assert shown("two") == (3, 4, 0o777 & ~os.umask(0))
"""
    layer = fake_root(python(CALLS + text))
    assert (layer["two"].linkname, layer["one"].uid) == ("one", 3)
