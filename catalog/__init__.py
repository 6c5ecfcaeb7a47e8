"""What exists and how it came to be: the PostgreSQL catalogue."""
