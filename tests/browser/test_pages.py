"""What a person sees of a reduced scan: in the Prefect UI, and on our own pages."""

import re

import pytest
from playwright.sync_api import expect

STAGES = (
    "check scan",
    "find rotation axis",
    "reconstruct volume",
    "draw pictures",
    "enter result",
)


@pytest.fixture(scope="session")
def scan(site):
    """Return a reduced scan as the catalogue shows it."""
    found = site.ask_catalogue("datasets?kind=raw&text=scan_0001")["items"]
    return site.ask_catalogue(f"datasets/{found[0]['id']}")


@pytest.fixture(scope="session")
def flow_run(site, scan):
    """Return the Prefect run that reduced it."""
    run = site.ask_catalogue(f"runs/{scan['runs'][0]['id']}")
    return run["attempt_list"][-1]["flow_run_id"]


def test_prefect_asks_for_the_password(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.prefect}/runs")
    field = page.locator("input[type=password]")
    field.fill(site.auth_string)
    field.press("Enter")
    expect(page.get_by_text("ct-reduction").first).to_be_visible(timeout=30_000)
    context.close()


def test_a_run_shows_its_stages(page, site, flow_run, picture):
    page.goto(f"{site.prefect}/runs/flow-run/{flow_run}")
    page.get_by_role("tab", name="Task Runs").click()
    for stage in STAGES:
        expect(page.get_by_text(re.compile(f"^{stage}")).first).to_be_visible()
    picture("prefect-run")


def test_a_run_shows_its_artifacts(page, site, flow_run, picture):
    page.goto(f"{site.prefect}/runs/flow-run/{flow_run}")
    page.get_by_role("tab", name="Artifacts").click()
    for key in ("preview", "result", "catalogue"):
        expect(page.get_by_text(key).first).to_be_visible()
    picture("prefect-artifacts")
