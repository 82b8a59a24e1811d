"""Tests of lamina.commands."""
