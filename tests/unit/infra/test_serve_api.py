"""What is shown without a token follows from who can reach the API."""

from pathlib import Path

import pytest

from infra.addresses import Addresses
from infra.sections import Access, Services
from infra.serve_api import shown_without_token
from infra.settings import Settings
from infra.state import State


@pytest.mark.parametrize(
    ("anonymous", "services", "shown"),
    [
        ("auto", {}, "all"),
        ("auto", {"host": "0.0.0.0"}, "public"),  # noqa: S104 - that is the case to look at
        ("auto", {"public_url": "https://data.facility.example"}, "public"),
        ("auto", {"public_url": "http://localhost:8000"}, "all"),
        ("nothing", {}, "nothing"),
        ("all", {"host": "0.0.0.0"}, "all"),  # noqa: S104
    ],
)
def test_what_is_shown_without_a_token(
    tmp_path: Path, anonymous: str, services: dict[str, str], shown: str
) -> None:
    settings = Settings(
        state=tmp_path / "state",
        services=Services.model_validate(services),
        access=Access.model_validate({"anonymous": anonymous}),
    )
    assert shown_without_token(settings, Addresses(settings, State(settings.state))) == shown
