"""A simulated beamline for total scattering (PDF), with a known truth.

``python -m infra.simulator.pdf FOLDER --sample Ni --format hdf5 --frames 10`` measures a scan.
"""
