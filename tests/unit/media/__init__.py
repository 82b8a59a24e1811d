"""Tests of lamina.media."""
