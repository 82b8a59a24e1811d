"""Fixtures for all tests."""

pytest_plugins = [
    "tests.support.once",
    "tests.support.fixtures",
    "tests.support.built_examples",
    "tests.support.fake_root",
    "tests.support.consumers.fixtures",
]
