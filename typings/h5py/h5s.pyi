"""Kinds of selections."""

SEL_ALL: int
