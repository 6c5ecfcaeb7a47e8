"""The subcommands of ``dayseye``, one module per subject; each has an ``app``."""
