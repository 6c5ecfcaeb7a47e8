"""Readers of powder images and patterns."""
