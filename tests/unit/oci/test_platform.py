"""The choice of a platform."""

from __future__ import annotations

from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.oci.digest import sha256
from lamina.oci.documents import OCI_MANIFEST, Descriptor
from lamina.oci.platform import for_platform


@pytest.mark.parametrize(
    ("platforms", "listed"),
    [
        ([{"os": "linux", "architecture": "arm64"}, {"os": "linux", "architecture": "386"}], "linux/386, linux/arm64"),
        ([None, {"os": "linux", "architecture": "arm64"}], "linux/arm64"),
        ([None], "images without a platform"),
    ],
)
def test_an_error_lists_the_platforms_that_there_are(platforms: list[Any], listed: str) -> None:
    manifests = [Descriptor(OCI_MANIFEST, sha256(b""), 0, platform=platform) for platform in platforms]
    with pytest.raises(BadInput) as caught:
        for_platform(manifests, "linux", "amd64", "an index")
    assert str(caught.value) == f"an index: contains no image for linux/amd64; it contains: {listed}"
