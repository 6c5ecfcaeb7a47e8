"""Readers and writers of absorption spectra, one module per format."""
