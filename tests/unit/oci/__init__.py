"""Tests of lamina.oci."""
