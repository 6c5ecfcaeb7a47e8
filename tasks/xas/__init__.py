"""X-ray absorption spectroscopy: from counts to composition."""
