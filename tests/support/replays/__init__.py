"""What consumers that cannot run here do with an archive, after their own sources."""
