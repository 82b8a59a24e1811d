"""Lamina: container images from Nix store paths.

The public names are listed in `__all__`; `docs/use/python.md` has examples. A name is imported when it is first used
(PEP 562), because the command starts once for each derivation and must start fast. Everything else in this package
may change without notice.
"""

__version__ = "0.1.0"

__all__ = [
    "Descriptor",
    "Image",
    "LaminaError",
    "Layer",
    "Recipe",
    "Reference",
    "build_image",
    "inspect",
    "load",
    "open_image",
    "open_images",
    "verify",
    "write",
]

TYPE_CHECKING = False  # typing's own would import typing, a third of the time that `lamina --version` takes
if TYPE_CHECKING:
    from lamina.errors import LaminaError
    from lamina.image.image import Image
    from lamina.image.layer import Layer
    from lamina.media.daemon import load
    from lamina.media.write import write
    from lamina.oci.documents import Descriptor
    from lamina.oci.reference import Reference
    from lamina.recipe.open import build_image, open_image, open_images
    from lamina.recipe.recipe import Recipe
    from lamina.report.describe import inspect
    from lamina.report.verify import verify
else:
    _MODULES = {
        "Descriptor": "oci.documents",
        "Image": "image.image",
        "LaminaError": "errors",
        "Layer": "image.layer",
        "Recipe": "recipe.recipe",
        "Reference": "oci.reference",
        "build_image": "recipe.open",
        "inspect": "report.describe",
        "load": "media.daemon",
        "open_image": "recipe.open",
        "open_images": "recipe.open",
        "verify": "report.verify",
        "write": "media.write",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module 'lamina' has no attribute {name!r}")
        value = getattr(__import__(f"lamina.{_MODULES[name]}", fromlist=[name]), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
