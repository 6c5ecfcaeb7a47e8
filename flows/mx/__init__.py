"""Crystallography: from diffraction images to merged intensities and a structure."""
