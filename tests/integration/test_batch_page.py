"""The page "Batch" in a real browser, inside a real Airflow, while stocks are really fetched.

Needs Debian's chromium; the browser's driver is the package playwright.
"""

import shutil
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FrameLocator,
    Page,
    expect,
    sync_playwright,
)

from tests.integration.batch import DAG, Batch, batch_with, until
from tests.integration.conftest import RunningAirflow

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

STOCKS = 90
FIRST_MS = 90_000
"""A run's first tasks look at the systems and at the list of stocks."""
SOON_MS = 15_000


class Desk(NamedTuple):
    """A browser before Airflow, whose stocks come from a local exchange."""

    browser: Browser
    airflow: RunningAirflow
    batch: Batch


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's path."""
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("no chromium: apt-get install chromium", pytrace=False)
    return found


@pytest.fixture(scope="module")
def desk(chromium: str, airflow: RunningAirflow) -> Iterator[Desk]:
    """Chromium, Airflow and the exchange; no batch yet."""
    with batch_with(airflow, symbols=STOCKS) as batch, sync_playwright() as playwright:
        # Airflow may make up for a scheduled run it has missed, and others leave runs behind.
        until(lambda: not active(airflow), 120)
        batch.forget()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield Desk(browser, airflow, batch)
        browser.close()


def active(airflow: RunningAirflow) -> int:
    """How many runs have not ended."""
    path = f"{DAG}/dagRuns?state=queued&state=running"
    return int(airflow.call("GET", path)[1]["total_entries"])


def log_in(desk: Desk, user: str) -> BrowserContext:
    """A context of its own that has logged in by Airflow's form."""
    context = desk.browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(desk.airflow.url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", desk.airflow.passwords[user])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    return context


def open_batch(context: BrowserContext, desk: Desk, complaints: list[str]) -> Page:
    """The page as people reach it: by the entry in Airflow's navigation."""
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
    )
    page.goto(desk.airflow.url)
    page.get_by_role("link", name="Batch", exact=True).click()
    return page


def inside(page: Page) -> FrameLocator:
    """What Airflow shows in its frame."""
    return page.frame_locator("iframe")


def done(frame: FrameLocator) -> float:
    """Percentage that the bar shows."""
    return float(frame.get_by_role("progressbar").get_attribute("aria-valuenow") or 0)


def test_batch_is_started_watched_paused_resumed_and_stopped_in_the_browser(desk: Desk) -> None:
    """A person does it all with the mouse; a viewer watches the same and may not touch."""
    complaints: list[str] = []
    page = open_batch(log_in(desk, "admin"), desk, complaints)
    frame = inside(page)
    expect(frame.get_by_role("heading", name="No batch yet")).to_be_visible(timeout=SOON_MS)

    frame.get_by_role("button", name="Start a batch").click()
    frame.get_by_label("Everything").check()
    frame.get_by_role("button", name="Start", exact=True).click()
    status = frame.locator("#status")
    expect(status).to_have_text("running", timeout=FIRST_MS)

    before = done(frame)
    deadline = time.monotonic() + 60
    while done(frame) <= before:
        assert time.monotonic() < deadline, "the bar does not move"
        page.wait_for_timeout(200)
    expect(frame.locator("#live")).to_have_text("live")

    frame.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("paused", timeout=SOON_MS)
    expect(frame.locator("#reason")).to_contain_text("paused by admin")
    # The stocks that workers were at are still finished.
    expect(frame.locator("#working")).to_have_text("nothing", timeout=SOON_MS)
    held = desk.batch.upstream_state()["http_calls"]

    watching = inside(open_batch(log_in(desk, "viewer"), desk, complaints))
    expect(watching.locator("#status")).to_have_text("paused", timeout=SOON_MS)
    expect(watching.get_by_role("button", name="Resume")).to_be_disabled()
    expect(watching.get_by_role("button", name="Start a batch")).to_be_disabled()
    assert desk.batch.upstream_state()["http_calls"] == held, "fetched while paused"

    frame.get_by_role("button", name="Resume").click()
    expect(status).to_have_text("running", timeout=SOON_MS)
    # The viewer's page hears of it by itself.
    expect(watching.locator("#status")).to_have_text("running", timeout=SOON_MS)

    frame.get_by_role("button", name="Stop").click()
    frame.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(status).to_have_text("stopped", timeout=SOON_MS)
    frame.get_by_role("tab", name="Events").click()
    expect(frame.get_by_role("row").filter(has_text="stopped").first).to_contain_text("admin")

    frame.get_by_role("button", name="Resume").click()
    expect(status).to_have_text("completed", timeout=FIRST_MS)
    assert done(frame) == 100
    assert complaints == []


def test_page_fits_a_phone(desk: Desk) -> None:
    """At 360 pixels nothing sticks out of the page, in the dark as well."""
    context = log_in(desk, "viewer")
    page = context.new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark")
    page.goto(f"{desk.airflow.url}/batch/page")
    expect(page.locator("#live")).to_have_text("live", timeout=SOON_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_tabs_are_moved_through_by_keyboard(desk: Desk) -> None:
    """Arrow keys go round; the panel follows."""
    page = log_in(desk, "viewer").new_page()
    page.goto(f"{desk.airflow.url}/batch/page")
    page.get_by_role("tab", name="Errors").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Settings")).to_be_focused()
    expect(page.locator("#panel")).to_contain_text("Airflow run")
