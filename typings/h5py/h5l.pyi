"""Kinds of links."""

TYPE_HARD: int
TYPE_SOFT: int
TYPE_EXTERNAL: int
