"""Tars at the edges of the format: made of parts that readers are known to understand differently, at random."""

from __future__ import annotations

from random import Random

NAMES = [
    b"a",
    b"b",
    b"manifest.json",
    b"./a",
    b"d/",
    b"d/f",
    b"../x",
    b"/abs",
    b"n" * 100,
    b"x/" * 40,
    b"",
    b"a\0b",
    "ä".encode(),
    b"\xff",
    b"d//",
    b".",
    b"./",
    b" a",
    b"a ",
    b"a\nb",
]
KINDS = [b"0"] * 6 + [
    b"5",
    b"5",
    b"1",
    b"2",
    b"\0",
    b"\0",
    b"7",
    b"3",
    b"4",
    b"6",
    b"S",
    b"V",
    b"D",
    b"M",
    b"X",
    b"N",
    b"A",
]
MAGICS = [b"ustar\x0000"] * 6 + [b"ustar  \0"] * 3 + [bytes(8), b"ustar   ", b"ustar\0  ", b"ustar 00", b"USTAR\x0000"]
NUMBERS = [
    b"0000000\0",
    b"0000644\0",
    b"       \0",
    b"        ",
    bytes(8),
    b"\0000644\0",
    b"   644 \0",
    b"0000644 ",
    b"00000644",
    b"-000001\0",
    b"000008\0\0",
    b"\x80" + bytes(6) + b"\5",
    b"\xff" * 8,
    b"\x81" + bytes(7),
    b"64\0\x004\0\0\0",
    b"0000001 ",
    b"7777777\0",
]
SIZES = [None] * 12 + [
    b"00000000000\0",
    b"00000001000\0",
    b"           \0",
    b" " * 12,
    bytes(12),
    b"\x80" + bytes(10) + b"\5",
    b"\xff" * 12,
    b"77777777777\0",
    b"\x80" + b"\xff" * 11,
    b"\00000000005\0",
    b"5           ",
    b"00000000005 ",
]
TIMES = [b"00000000000\0"] * 8 + [b"\xff" * 12, b"\x80" + bytes(10) + b"\1", b" " * 12, b"x" * 12, bytes(12)]
KEYS = [
    b"path",
    b"linkpath",
    b"size",
    b"uid",
    b"gid",
    b"mtime",
    b"atime",
    b"comment",
    b"uname",
    b"SCHILY.xattr.user.a",
    b"SCHILY.xattr.user.b",
    b"GNU.sparse.major",
    b"GNU.sparse.minor",
    b"GNU.sparse.name",
    b"GNU.sparse.realsize",
    b"GNU.sparse.size",
    b"GNU.sparse.map",
    b"GNU.sparse.numblocks",
    b"GNU.sparse.offset",
    b"GNU.sparse.numbytes",
    b"hdrcharset",
    b"GNU.volume.label",
    b"GNU.dumpdir",
    b" path",
    b"PATH",
    b"path\0",
    b"",
    b"LIBARCHIVE.creationtime",
    b"SCHILY.realsize",
    b"SCHILY.dev",
]
VALUES = [
    b"",
    b"a",
    b"b",
    b"0",
    b"1",
    b"5",
    b"10",
    b"-1",
    b"+5",
    b"1.5",
    b"a\0",
    b"manifest.json",
    b"d/",
    b"1_0",
    b"05",
    b"0,5",
    b"n" * 200,
    "ä".encode(),
    b"\xff",
    b"BINARY",
    b"a=b",
    b"x\ny",
    b"99999999999999999999",
    b" 5",
]


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def block(
    name: bytes,
    kind: bytes,
    size: bytes | int = 0,
    *,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    mode: bytes = b"0000644\0",
    uid: bytes = b"0000000\0",
    mtime: bytes = b"00000000000\0",
    device: bytes = bytes(16),
    tail: bytes = bytes(12),
) -> bytes:
    """A header block with the right check sum."""
    size = octal(size, 12) if isinstance(size, int) else size
    start = name[:100].ljust(100, b"\0") + mode + uid + b"0000000\0" + size + mtime
    end = kind + link[:100].ljust(100, b"\0") + magic + bytes(64) + device + prefix[:155].ljust(155, b"\0") + tail
    total = sum(start) + sum(end) + 8 * ord(" ")
    return start + b"%06o\0 " % total + end


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def doubtful_tar(random: Random) -> bytes:
    """One to four members; about half of them as every tool writes them."""
    members = b"".join(_member(random, str(number).encode()) for number in range(random.randint(1, 4)))
    return members + random.choice([bytes(1024)] * 8 + [b"", bytes(512), bytes(512) + members, bytes(513), b"x"])


def _usual_member(random: Random, content: bytes) -> bytes:
    """A member as tools write it, some with the headers of a long name, a long link or attributes."""
    kind = random.choice([b"0", b"0", b"0", b"5", b"1", b"2"])
    name, link = random.choice([b"a", b"b/c", b"d" * 99]), b"a" if kind in (b"1", b"2") else b""
    data = random.choice([b"", content, content * 600]) if kind == b"0" else b""
    form = random.choice(["ustar", "ustar", "pax", "gnu", "both", "xattrs"])
    records = {"pax": [(b"path", b"n" * 120)], "xattrs": [(b"SCHILY.xattr.user.a", b"b\0"), (b"mtime", b"1.5")]}
    payload = b"".join(record(*each) for each in records.get(form, []))
    headers = block(b"ext", b"x", len(payload)) + padded(payload) if payload else b""
    magic = MAGICS[0]
    if form in ("gnu", "both"):
        magic = b"ustar  \0"
        headers = block(b"././@LongLink", b"L", 121, magic=magic) + padded(b"m" * 120 + b"\0")
    if form == "both":
        headers = block(b"././@LongLink", b"K", 121, magic=magic) + padded(b"k" * 120 + b"\0") + headers
    return headers + block(name, kind, len(data), link=link, magic=magic) + padded(data)


def _member(random: Random, content: bytes) -> bytes:
    if random.random() < 0.7:
        return _usual_member(random, content)
    headers = b"".join(_extension(random) for _ in range(random.choice([0, 0, 0, 1, 1, 2, 3])))
    data = random.choice([b"", content, content * 600])
    size = random.choice(SIZES)
    odd = random.random() < 0.3
    made = block(
        random.choice(NAMES[:3] if random.random() < 0.5 else NAMES),
        random.choice(KINDS) if random.random() < 0.6 else b"0",
        len(data) if size is None or random.random() < 0.5 else size,
        link=random.choice(NAMES) if random.random() < 0.4 else b"",
        magic=random.choice(MAGICS) if random.random() < 0.5 else MAGICS[0],
        prefix=random.choice([b"p", b"00000000001\000000000001\0", b"p\0q", b"manifest.json"])
        if random.random() < 0.2
        else b"",
        mode=random.choice(NUMBERS) if odd else b"0000644\0",
        uid=random.choice(NUMBERS) if random.random() < 0.1 else b"0000000\0",
        mtime=random.choice(TIMES) if odd else TIMES[0],
        device=random.choice(NUMBERS) * 2 if random.random() < 0.2 else bytes(16),
        tail=random.choice([bytes(8) + b"tar\0", b"x" * 12]) if random.random() < 0.05 else bytes(12),
    )
    return headers + (_summed_oddly(random, made) if random.random() < 0.1 else made) + padded(data)


def _summed_oddly(random: Random, header: bytes) -> bytes:
    """The header with its check sum, or nearly that, in another form."""
    rest = header[:148] + header[156:]
    total = sum(rest) + 8 * ord(" ")
    signed = total - 256 * sum(byte > 127 for byte in rest)
    forms = [b"%07o\0", b"%06o \0", b" %05o\0 ", b"%06o  ", b"%05o\0\0 ", b"%08o", b"0x%05x\0", b"\0%06o\0", b"-%06o\0"]
    text = (random.choice(forms) % random.choice([total, total, signed, total + 1]))[:8].ljust(8)
    if random.random() < 0.2:
        text = b"\x80" + total.to_bytes(7, "big")
    return header[:148] + text + header[156:]


def _extension(random: Random) -> bytes:
    kind = random.choice([b"x", b"x", b"x", b"g", b"L", b"K"])
    if kind in (b"L", b"K"):
        payload = random.choice(NAMES + VALUES) + random.choice([b"\0", b"\0", b"", b"\0\0", b"\0z"])
        magic = b"ustar  \0"
    else:
        few = KEYS[:10] if random.random() < 0.7 else KEYS
        payload = b"".join(record(random.choice(few), random.choice(VALUES)) for _ in range(random.randint(0, 4)))
        payload += random.choice([b""] * 12 + [b"\0", b"x", b"3 a"])
        magic = MAGICS[0]
    data = padded(payload)
    if random.random() < 0.05:
        data = payload + (b"12 path=zzz\n" * 50)[: -len(payload) % 512]
    size = len(payload) + (random.choice([-1, 1, 5]) if random.random() < 0.03 else 0)
    return block(b"ext", kind, max(0, size), magic=random.choice([magic] * 9 + MAGICS)) + data


def sparse_tar(random: Random) -> bytes:
    """A file with holes in one of the forms that GNU tar writes, often with something wrong."""
    parts = [(number * 1000, random.choice([5, 512])) for number in range(random.randint(0, 5))]
    if parts and random.random() < 0.3:
        parts[-1] = random.choice([(0, 5), (1 << 40, 5), (3000, 0)])
    whole = 6000 + random.choice([0, 0, 0, -5990])
    data = b"x" * (sum(length for _, length in parts) + random.choice([0, 0, 0, 1]))
    count = len(parts) + random.choice([0] * 9 + [1])
    form = random.choice([b"S", b"0.0", b"0.1", b"1.0"])
    joined = ",".join(f"{offset},{length}" for offset, length in parts).encode()
    if form == b"S":
        made = _gnu_sparse(parts, whole, len(data), random if random.random() < 0.3 else None) + padded(data)
    else:
        records = [record(b"GNU.sparse.size", b"%d" % whole), record(b"GNU.sparse.numblocks", b"%d" % count)]
        if form == b"0.0":
            for offset, length in parts:
                records += [
                    record(b"GNU.sparse.offset", b"%d" % offset),
                    record(b"GNU.sparse.numbytes", b"%d" % length),
                ]
        elif form == b"0.1":
            records += [record(b"GNU.sparse.name", b"s"), record(b"GNU.sparse.map", joined)]
        else:
            records = [
                record(b"GNU.sparse." + key, value)
                for key, value in ((b"major", b"1"), (b"minor", b"0"), (b"name", b"s"), (b"realsize", b"%d" % whole))
            ]
            numbers = [count, *(number for part in parts for number in part)]
            data = padded("".join(f"{number}\n" for number in numbers).encode()) + data
        if random.random() < 0.2:
            records.pop(random.randrange(len(records)))
        if random.random() < 0.2:
            records.insert(0, record(b"path", b"shown"))
        payload = b"".join(records)
        made = block(b"ext", b"x", len(payload)) + padded(payload)
        made += block(b"s", random.choice([b"0"] * 9 + [b"\0", b"5", b"1"]), len(data)) + padded(data)
    return made + block(b"after", b"0", 5) + padded(b"after") + bytes(1024)


def _gnu_sparse(parts: list[tuple[int, int]], whole: int, stored: int, odd: Random | None) -> bytes:
    fields = [octal(number, 12) for part in parts for number in part]
    room = bytearray(block(b"s", b"S", stored, magic=b"ustar  \0"))
    first = b"".join(fields[:8])
    room[386 : 386 + len(first)] = first
    room[482] = len(fields) > 8
    if odd is not None:
        room[odd.randrange(386, 483)] = odd.choice(b"\0\1 07n\x80")
    room[483:495] = octal(whole, 12)
    room[148:156] = b" " * 8
    room[148:156] = b"%06o\0 " % sum(room)
    rest = b"".join(fields[8:])
    return bytes(room) + (rest.ljust(512, b"\0") if rest else b"")
