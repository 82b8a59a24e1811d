"""Store paths and file trees as contents of layers."""
