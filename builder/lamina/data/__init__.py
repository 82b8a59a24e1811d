"""Bytes on their way: blobs, compression, output files, parallel work, progress."""
