"""Where an image is pushed to is what the user wrote, or an error."""

from __future__ import annotations

import pytest

from lamina.errors import BadInput
from lamina.media.registry.skopeo import parse_destination


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("docker://registry.example/team/app:1", "registry.example/team/app:1"),
        ("registry.example/team/app", "registry.example/team/app:latest"),
        ("docker://localhost:5000/app:A", "localhost:5000/app:A"),
        ("docker://app", "docker.io/library/app:latest"),
        ("docker://oci:1", "docker.io/library/oci:1"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert parse_destination(text).qualified == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("oci:layout", "oci:layout: is no registry; write docker://HOST/NAME:TAG; lamina convert writes files"),
        ("docker-daemon:app:1", "docker-daemon:app:1: is no registry"),
        ("dir:/x", "dir:/x: is no registry"),
        ("docker://registry.example/Team/app", "has upper case, which registries refuse; write registry.example/team"),
        ("https://registry.example/app", "is no place for an image; write docker://HOST/NAME:TAG"),
        ("docker://registry.example/app@sha256:0", "is no place for an image"),
        ("", "is no image name"),
    ],
)
def test_other_texts(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_destination(text)
    assert problem in str(caught.value)
