"""Policies: what an image may weigh, and what it must and must not contain."""
