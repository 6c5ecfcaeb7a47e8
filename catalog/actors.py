"""Who acts by itself in this platform: everybody else whom the history names is a person."""

AUTOMATIC = frozenset(
    {"trigger", "flow", "recovery", "caretaker", "embargo", "platform", "prefect-ui", "api"}
)
