"""Readers and writers behind one interface; formats join by entry point."""
