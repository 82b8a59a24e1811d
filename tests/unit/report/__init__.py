"""Tests of lamina.report."""
