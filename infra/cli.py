"""The command ``dayseye``."""

from pathlib import Path

import typer

from infra.up import up as run_up

app = typer.Typer()
SETTINGS: list[Path | None] = [None]


@app.callback()
def options(settings: Path | None = None) -> None:
    """Dayseye."""
    SETTINGS[0] = settings


@app.command()
def up() -> None:
    """Up."""
    run_up(
        SETTINGS[0],
        lambda addresses, seconds: print(
            addresses.prefect_ui_url, addresses.api_url, seconds, flush=True
        ),
    )


def main() -> None:
    """Run."""
    app()


if __name__ == "__main__":
    main()
