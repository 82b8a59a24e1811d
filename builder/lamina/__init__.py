"""Lamina: container images from Nix store paths."""

__version__ = "0.1.0"
