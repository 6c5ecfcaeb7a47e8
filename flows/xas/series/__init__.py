"""The results of a series of XAS scans, reduced together as they come."""
