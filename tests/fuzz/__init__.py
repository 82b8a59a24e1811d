"""Fuzzing: a target for each reader, seeds for each target, and the driver that `make fuzz` runs."""
