"""Tests of lamina.tar."""
