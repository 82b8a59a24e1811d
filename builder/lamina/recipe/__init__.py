"""Recipes: made in a Nix derivation, read, and built into images."""
