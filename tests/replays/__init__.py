"""Readers of image archives that cannot be installed here, replayed from what their sources do."""
