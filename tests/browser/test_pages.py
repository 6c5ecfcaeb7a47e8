"""What a person sees of a reduced scan: in the Prefect UI, and on our own pages."""

import re

import pytest
from playwright.sync_api import expect

STAGES = {
    "ct": (
        "check scan",
        "find rotation axis",
        "reconstruct volume",
        "draw pictures",
        "enter result",
    ),
    "xas": (
        "read spectra",
        "align sweeps",
        "reduce sweeps",
        "normalise",
        "extract EXAFS",
        "interpret",
        "draw pictures",
        "enter result",
    ),
}
FIELDS = {
    "ct": ("Rotation axis", "Stripe removal", "Filter", "Output type"),
    "xas": ("Reference foil", "Standards", "Fit on", "Sum to one"),
}


@pytest.fixture(scope="session", params=["scan_0001", "quick_0001"])
def scan(site, request):
    """Return a reduced scan of each technique as the catalogue shows it."""
    found = site.ask_catalogue(f"datasets?kind=raw&text={request.param}")["items"]
    return site.ask_catalogue(f"datasets/{found[0]['id']}")


@pytest.fixture(scope="session")
def flow_run(site, scan):
    """Return the Prefect run that reduced it."""
    run = site.ask_catalogue(f"runs/{scan['runs'][0]['id']}")
    return run["attempt_list"][-1]["flow_run_id"]


def test_prefect_asks_for_the_auth_string(browser, site):
    page = browser.new_page()
    page.goto(f"{site.prefect}/runs")
    page.get_by_placeholder("admin:pass").fill(site.auth_string)
    page.get_by_role("button", name="Login").click()
    expect(page.get_by_text(re.compile("^(ct|xas)-reduction")).first).to_be_visible(timeout=30_000)
    page.close()


def test_a_run_shows_its_stages_as_tasks(page, site, flow_run, scan, picture):
    open_run(page, site, flow_run, "Task Runs")
    for stage in STAGES[scan["technique"]]:
        expect(page.get_by_text(re.compile(f"^{stage}")).first).to_be_visible()
    picture(f"prefect-run-{scan['technique']}")


def test_a_run_shows_its_artifacts(page, site, flow_run, scan, picture):
    open_run(page, site, flow_run, "Artifacts")
    for key in ("preview", "result", "catalogue", "progress"):
        expect(page.get_by_text(key, exact=True).first).to_be_visible()
    picture(f"prefect-artifacts-{scan['technique']}")


def test_the_preview_is_a_picture_in_prefect(page, site, flow_run, scan, picture):
    open_run(page, site, flow_run, "Artifacts")
    page.get_by_text("preview", exact=True).first.click()
    image = page.locator(f"img[src^='{site.catalogue}']").first
    expect(image).to_be_visible()
    wait_until_drawn(page, image)
    picture(f"prefect-preview-{scan['technique']}")


def test_a_run_links_to_the_catalogue(page, site, flow_run, scan, picture):
    open_run(page, site, flow_run, "Artifacts")
    page.get_by_text("catalogue", exact=True).first.click()
    link = page.get_by_role("link", name="The scan")
    expect(link).to_have_attribute("href", f"{site.catalogue}/datasets/{scan['id']}")
    picture(f"prefect-links-{scan['technique']}")


@pytest.mark.parametrize("technique", FIELDS)
def test_a_custom_run_has_a_typed_form(page, site, technique, picture):
    deployment = site.ask_prefect(f"deployments/name/{technique}-reduction/{technique}")
    page.goto(f"{site.prefect}/deployments/deployment/{deployment['id']}/run")
    for field in FIELDS[technique]:
        expect(page.get_by_text(field).first).to_be_visible()
    picture(f"prefect-form-{technique}")


def test_our_page_shows_the_previews(page, site, scan, picture):
    page.goto(f"{site.catalogue}/datasets/{scan['id']}")
    expect(page.get_by_role("heading", name=scan["name"]).first).to_be_visible()
    images = page.locator(".previews img")
    assert images.count() >= 2
    for image in images.all():
        image.scroll_into_view_if_needed()
        wait_until_drawn(page, image)
    picture(f"catalogue-dataset-{scan['technique']}")


def test_our_page_lists_the_scans(page, site, picture):
    page.goto(site.catalogue)
    for number in range(1, 7):
        expect(page.get_by_text(f"scan_{number:04d}").first).to_be_visible()
    picture("catalogue-datasets")


def test_a_composition_has_a_line_with_its_uncertainty_for_each_part(page, site, picture):
    found = site.ask_catalogue("datasets?kind=raw&text=step_0001_3")["items"]
    page.goto(f"{site.catalogue}/datasets/{found[0]['id']}")
    quality = page.get_by_role("region", name="Quality figures")
    for compound in ("Fe", "FeO", "Fe2O3"):
        expect(quality.get_by_text(re.compile(rf"^{compound} 0\.\d+ ± 0\.\d+"))).to_be_visible()
    picture("catalogue-composition")


def test_a_library_leads_to_the_plot_of_a_spectrum(page, site, picture):
    page.goto(site.catalogue)
    for name in ("Libraries", "iron", "Fe2O3"):
        page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name="Fe2O3")).to_be_visible()
    expect(page.locator("svg.plot .curve")).to_be_visible()
    picture("library-spectrum")


def open_run(page, site, flow_run, tab):
    """Open a tab of a run in the Prefect UI."""
    page.goto(f"{site.prefect}/runs/flow-run/{flow_run}")
    page.get_by_role("listitem").get_by_text(tab, exact=True).click()


def wait_until_drawn(page, image):
    """Wait until a picture has come and has pixels."""
    page.wait_for_function(
        "image => image.complete && image.naturalWidth > 100", arg=image.element_handle()
    )
