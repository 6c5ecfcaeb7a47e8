"""Computed tomography: correction, rotation axis, reconstruction."""
