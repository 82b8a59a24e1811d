"""Fixtures for all tests: running consumers, and the examples, built."""

pytest_plugins = ["tests.once", "tests.consumers.fixtures", "tests.fixtures"]
