"""What daemons make of a root directory with an owner and a mode of its own, and of one without an entry."""

from __future__ import annotations

import pytest

from tests.support.builds import expression, nix_build
from tests.support.consumers.base import Consumer

CONFIG = 'tag = "1"; config.Cmd = [ "${pkgs.coreutils}/bin/stat" "-c" "%a %u:%g" "/" ];'
OWN = f'lamina.buildLayeredImage {{ name = "own-root"; fakeRootCommands = "chown 5:6 .; chmod 751 ."; {CONFIG} }}'
DEFAULT = f'lamina.buildLayeredImage {{ name = "default-root"; contents = pkgs.hello; {CONFIG} }}'
NONE = f'lamina.buildLayeredImage {{ name = "no-root"; {CONFIG} }}'

SEEN = {
    "dockerd": ("755 0:0", "755 0:0", "755 0:0"),
    "podman": ("555 0:0", "555 0:0", "555 0:0"),
    "containerd": ("755 0:0", "755 0:0", "755 0:0"),
    "umoci": ("751 5:6", "755 0:0", "755 0:0"),
    "dockerd_forky": ("755 0:0", "755 0:0", "755 0:0"),
    "dockerd_forky_containerd": ("755 0:0", "755 0:0", "755 0:0"),
    "podman_forky": ("555 0:0", "555 0:0", "555 0:0"),
    "containerd_forky": ("755 0:0", "755 0:0", "755 0:0"),
    "umoci_forky": ("751 5:6", "755 0:0", "755 0:0"),
}
"""Mode and owner of an entry with its own, of Lamina's default, and without an entry. On overlayfs, the root directory
is that of the container's own layer, which the daemons make without asking the image."""


@pytest.mark.parametrize("kind", SEEN)
def test_the_root_directory(kind: str, request: pytest.FixtureRequest) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    seen = []
    for text in (OWN, DEFAULT, NONE):
        [name] = consumer.load(nix_build(*expression(text)))
        seen.append(consumer.run(name).stdout.strip())
    assert tuple(seen) == SEEN[kind]
