"""Policies: how large an image may be, and what it must and must not contain."""
