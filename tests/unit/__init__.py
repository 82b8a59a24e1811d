"""Each module of the builder by itself, and the archives that it writes, read with other tools than its own."""
