"""What Lamina does, up to one of its steps: `steps.py STEP RECIPE [OUT]`, for measuring where the time goes.

walk      the recipe, and the sizes of its layers: every file is looked for and none is opened
read      and the layers' bytes: every header is made and every file read
hash      and their digests
write     and an archive in the file OUT, by one process, which does not wait for the disk
digests   the digests as a build learns them, by all processors
build     the archive as a build writes it, by all processors, which does not wait for the disk
"""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "builder"))

from lamina.image.hashing import with_digests
from lamina.image.layer import hashed
from lamina.recipe.open import open_image


def unsynced() -> None:
    """From here on nothing waits for the disk."""
    for name in ("fsync", "fdatasync"):
        setattr(os, name, lambda _: None)


def build(recipe: str, out: str) -> None:
    from lamina.commands.main import main

    unsynced()
    if main(["build", recipe, "-o", out]):
        sys.exit(1)


def main(step: str, recipe: str, out: str = "") -> None:
    if step == "build":
        return build(recipe, out)
    if step == "write":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return build(recipe, out)
    image = open_image(Path(recipe))
    if step == "digests":
        with_digests(image, None)
    elif step == "walk":
        sum(layer.blob.size or 0 for layer in image.layers)
    elif step in ("read", "hash"):
        for layer in image.layers:
            assert layer.blob.size is not None, "layers of store paths know their size before they are read"
            hashed(layer) if step == "hash" else deque(layer.blob.chunks(), maxlen=0)
    else:
        sys.exit(__doc__)
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
