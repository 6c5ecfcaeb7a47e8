"""How the platform learns that data have landed."""
