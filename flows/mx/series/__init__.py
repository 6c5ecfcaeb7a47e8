"""Several sweeps merged together: of one crystal, or of several of one kind."""
