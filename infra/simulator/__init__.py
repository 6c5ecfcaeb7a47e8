"""A simulated beamline with a known truth; shares no code with tasks."""
