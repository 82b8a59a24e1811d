"""Tests of lamina.recipe."""
