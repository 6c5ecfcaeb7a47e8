"""From merged intensities and a model to a refined structure, its maps and what they still show."""
