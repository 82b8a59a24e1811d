"""Consumers of images, each started and used through the same verbs."""
