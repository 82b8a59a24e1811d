"""zstd:chunked layers that Skopeo makes: `verify` reads their tables of contents as podman does."""

from __future__ import annotations

from pathlib import Path
from random import Random

from lamina.report.verify import verify
from tests.judge.tars import block, padded, record
from tests.support.archives import docker_save, sample
from tests.support.consumers import roots
from tests.support.consumers.base import check
from tests.support.needs import absent, need_root
from tests.support.recipes import save


def layer() -> bytes:
    """Attributes in capitals, a fraction of a second, a file of several chunks, one of zeros, links."""
    records = record(b"SCHILY.xattr.user.Foo", b"1") + record(b"mtime", b"1700000000.5")
    large = Random(1).randbytes(300_000)
    return b"".join(
        [
            block(b"d/", b"5", mode=b"0000755\0"),
            *(block(b"x", b"x", len(records)), padded(records), block(b"d/x", b"0", 5), padded(b"hello")),
            *(block(b"d/large", b"0", len(large)), padded(large)),
            *(block(b"d/zeros", b"0", 500_000), padded(bytes(500_000))),
            *(block(b"d/empty", b"0"), block(b"d/link", b"2", link=b"x"), block(b"d/hard", b"1", link=b"d/x")),
            bytes(1024),
        ]
    )


def test_tables_of_skopeo(tmp_path: Path) -> None:
    need_root()
    if not roots.complete(roots.TRIXIE):
        absent("no root with Skopeo 1.18 here: bash dev/setup.sh test")
    save(docker_save([sample(layers=(layer(),))]), tmp_path / "it.tar")
    with roots.entered() as prefix:
        words = ["copy", "--format", "oci", "--dest-compress", "--dest-compress-format", "zstd:chunked"]
        check(
            [*prefix, "skopeo", "--insecure-policy", *words, f"docker-archive:{tmp_path}/it.tar", f"dir:{tmp_path}/it"]
        )
    assert "zstd-chunked.manifest-checksum" in (tmp_path / "it/manifest.json").read_text()
    assert verify(tmp_path / "it").problems == ()
