"""What happens to a scan: one package per technique, each read like a lab book."""
