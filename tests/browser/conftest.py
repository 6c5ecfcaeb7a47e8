"""The demo's platform with its reduced scans, and a Chromium to look at them.

These tests run in an environment of their own, without the project: they see what a user sees.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "browser"
# A shell that starts the tests in the background lets its children ignore Ctrl-C.
DEMO = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from infra.demo import run_demo
run_demo(pathlib.Path(sys.argv[1]))
"""
UP = "stays up until Ctrl-C"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Site:
    """The addresses of a running platform, and its APIs."""

    def __init__(self, state, requests):
        ports = json.loads((state / "ports.json").read_text())
        self.prefect = f"http://127.0.0.1:{ports['prefect']}"
        self.catalogue = f"http://127.0.0.1:{ports['api']}"
        self.auth_string = (state / "secrets" / "prefect").read_text()
        self.token = base64.b64encode(self.auth_string.encode()).decode()
        self.requests = requests

    def ask_prefect(self, path):
        """Call Prefect's API."""
        headers = {"Authorization": f"Basic {self.token}"}
        return self.requests.get(f"{self.prefect}/api/{path}", headers=headers).json()

    def ask_catalogue(self, path):
        """Call our own API."""
        return self.requests.get(f"{self.catalogue}/api/{path}").json()


@pytest.fixture(scope="session")
def playwright():
    """Start Playwright."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright):
    """Start a headless Chromium."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(playwright, browser, tmp_path_factory):
    """Run the demo, and wait until its scans are reduced; or take one that is up already."""
    if up_already := os.environ.get("DAYSEYE_DEMO_FOLDER"):
        yield Site(Path(up_already), playwright.request.new_context())
        return
    folder = tmp_path_factory.mktemp("browser") / "demo"
    demo = subprocess.Popen(
        [ROOT / ".venv/bin/python", "-c", DEMO, folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    try:
        said = []
        for line in demo.stdout:
            said.append(line)
            if UP in line:
                break
        assert said and UP in said[-1], "".join(said)
        yield Site(folder, playwright.request.new_context())
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)
        place = folder / "postgres" / "place.txt"
        if place.exists():  # the database lies where its user may go, outside of our folder
            shutil.rmtree(place.read_text().strip())


@pytest.fixture
def page(browser, site):
    """Open a page that is logged in to Prefect."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.add_init_script(f"localStorage.setItem('prefect-password', '{site.token}')")
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def picture(page):
    """Return a function that takes a picture of the page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return lambda name: page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
