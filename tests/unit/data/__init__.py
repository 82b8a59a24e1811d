"""Tests of lamina.data."""
