"""A simulated beamline for X-ray absorption spectroscopy, with a known truth.

``python -m infra.simulator.xas FOLDER --sweeps 400 --format quick`` measures a series.
"""
