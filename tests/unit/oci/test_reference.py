"""Image names: every spelling of one name is that name, and no spelling of another is."""

from __future__ import annotations

import pytest

from lamina.errors import BadInput
from lamina.oci.reference import make_reference, parse_reference

SPELLINGS = [
    # given, qualified, familiar
    ("redis", "docker.io/library/redis:latest", "redis:latest"),
    ("redis:7", "docker.io/library/redis:7", "redis:7"),
    ("library/redis", "docker.io/library/redis:latest", "redis:latest"),
    ("docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
    ("docker.io/library/redis:7", "docker.io/library/redis:7", "redis:7"),
    ("index.docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
    ("me/app", "docker.io/me/app:latest", "me/app:latest"),
    ("docker.io/me/app:v1.2", "docker.io/me/app:v1.2", "me/app:v1.2"),
    ("library/me/app", "docker.io/library/me/app:latest", "library/me/app:latest"),
    ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
    ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
    ("localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t"),
    ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
    ("host:5000", "docker.io/library/host:5000", "host:5000"),
    ("quay.io/org/app:1", "quay.io/org/app:1", "quay.io/org/app:1"),
    ("quay.io/app", "quay.io/app:latest", "quay.io/app:latest"),
    ("[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1"),
    ("UPPER/Case:TaG", "docker.io/upper/case:TaG", "upper/case:TaG"),
    ("a__b/c-d.e_f---g:_.-", "docker.io/a__b/c-d.e_f---g:_.-", "a__b/c-d.e_f---g:_.-"),
    # Without its registry this one would be an image of the registry foo.bar.
    ("docker.io/foo.bar/app:1", "docker.io/foo.bar/app:1", "docker.io/foo.bar/app:1"),
    ("docker.io/localhost/app:1", "docker.io/localhost/app:1", "docker.io/localhost/app:1"),
]


@pytest.mark.parametrize(("given", "qualified", "familiar"), SPELLINGS)
def test_spellings(given: str, qualified: str, familiar: str) -> None:
    reference = parse_reference(given, "it")
    assert (reference.qualified, reference.familiar) == (qualified, familiar)
    assert parse_reference(qualified, "it") == parse_reference(familiar, "it") == reference


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a b",
        "ä",
        "a@sha256:" + "0" * 64,
        "quay.io/",
        "-host.io/a",
        "ho..st/a",
        "host.-io/a",
        "host.io:port/a",
        "host.io:/a",
        "../a",
        "a\n",
        "x" * 256,
        # docker.io/library/ counts, since that is what is stored.
        "x" * 240,
    ],
)
def test_names_that_no_registry_takes(name: str) -> None:
    with pytest.raises(BadInput, match=r"it: .* is no (image name|registry)"):
        make_reference(name, "1", "it")


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a b", "a/b", "a:b", "ä", "a\n", "x" * 129])
def test_tags_that_no_registry_takes(tag: str) -> None:
    with pytest.raises(BadInput, match=r"it: .* is no image tag; use up to 128 letters"):
        make_reference("a", tag, "it")


def test_the_longest_name_and_tag() -> None:
    reference = make_reference("x" * (255 - len("docker.io/library/")), "t" * 128, "it")
    assert parse_reference(reference.qualified, "it") == reference
