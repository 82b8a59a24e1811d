"""Tests of lamina.image."""
