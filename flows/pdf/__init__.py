"""The total-scattering flow: from detector images to the pair distribution function."""
