"""How it runs: settings, supervisor, database, cluster, Prefect, worker, dispatcher, CLI."""
