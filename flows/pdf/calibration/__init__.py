"""From the image of a calibrant to the geometry of the detector, which data wait for."""
