"""Tests of lamina.compat."""
