"""Tests of lamina.store."""
