"""The CT flow: from projections to a volume of attenuation, its pictures and its verdict."""
