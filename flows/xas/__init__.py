"""The XAS flow: from counts to normalised spectra, EXAFS and composition."""
