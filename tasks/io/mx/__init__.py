"""Readers of single-crystal diffraction sweeps."""
