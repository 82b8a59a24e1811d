"""Tests of lamina.planning."""
