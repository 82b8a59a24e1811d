"""Blobs, compression, output files, parallel work, progress."""
