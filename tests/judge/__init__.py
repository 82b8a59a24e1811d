"""A judge over our readers: Go's archive/tar and encoding/json, GNU tar, and Python's tarfile."""
