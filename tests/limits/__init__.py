"""Small files that ask for much: memory and time stay in proportion to what was given."""
