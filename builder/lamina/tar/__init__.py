"""Archives of files: writing members, reading headers, whiteouts."""
