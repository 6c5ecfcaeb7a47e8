"""Single-crystal diffraction: from images to merged intensities and a structure."""
