"""Registries: what one serves, how it answers, and pushing to others."""
