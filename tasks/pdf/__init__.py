"""Total scattering: from detector images to the pair distribution function."""
