"""A simulated beamline for single-crystal diffraction, with a known truth.

``python -m infra.simulator.mx FOLDER --format nxmx --images 90`` measures a sweep.
"""
