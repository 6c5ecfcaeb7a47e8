"""The algorithms: pure, typed functions on arrays that know no Prefect, database or web."""
