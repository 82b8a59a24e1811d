"""Tests of lamina.rootless."""
