"""The status page in headless Chromium: what a person sees, with a mouse, a keyboard, a phone or a screen reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time

import pytest
from scene import HOSTILE, afternoon, hostile, standby
from yard import PREFIX, Yard, open_yard

from batchyard.world.store import Store

if not os.environ.get("BATCHYARD_BROWSER"):
    pytest.skip("make test-page installs a browser and looks", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

PICTURES = Path(os.environ.get("BATCHYARD_PICTURES") or Path(__file__).parents[2] / "build" / "page")
QUIET = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync")  # fmt: skip
WIDTHS = {400: 1150, 1200: 1150}
expect = sync_api.expect
expect.set_options(timeout=30_000)
Open = Callable[..., sync_api.Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[f"--{flag}" for flag in QUIET], timeout=90_000
        )
        yield found
        found.close()


@pytest.fixture
def open_page(browser: sync_api.Browser) -> Iterator[Open]:
    """Open a yard's page; whatever the page complains about fails the test."""
    complaints: list[str] = []
    contexts: list[sync_api.BrowserContext] = []

    def go(yard: Yard, width: int = 1200, scheme: str = "light") -> sync_api.Page:
        size = {"width": width, "height": WIDTHS[width]}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce"))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None
        )
        page.goto(yard.url)
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def yard() -> Iterator[Yard]:
    with open_yard(afternoon(time())) as found:
        yield found


def live(page: sync_api.Page) -> sync_api.Page:
    expect(page.get_by_role("status")).to_have_text("Live")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_all_of_it_is_seen_at_any_width_and_read_by_everybody(
    yard: Yard, open_page: Open, width: int, scheme: str
) -> None:
    page = live(open_page(yard, width, scheme))
    for words in ("transcode-0", "spot-7hx2-1", "needs cpu 64", "OutOfMemory", "0.48", "priority 100"):
        expect(page.get_by_text(words).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"status-page-{width}-{scheme}.png")
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found] == []


def test_tables_have_headers_and_are_where_the_headings_say(yard: Yard, open_page: Open) -> None:
    page = live(open_page(yard))
    for name, head in (("Queues", "First in line"), ("Environments", "Price per hour"), ("What waits, and why", "Why")):
        region = page.get_by_role("region", name=name)
        expect(region.get_by_role("columnheader", name=head)).to_be_visible()
    row = page.get_by_role("region", name="What waits, and why").get_by_role("row", name="report")
    expect(row).to_contain_text("WaitingForDependencies")
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("navigation", name="Sections").get_by_role("link")).to_have_count(5)


def test_what_strangers_write_is_text(open_page: Open) -> None:
    with open_yard(hostile(time())) as yard:
        page = live(open_page(yard, 400))
        expect(page.get_by_text(HOSTILE[:30]).first).to_be_visible()
        page.locator("button.job").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert (
            page.evaluate("document.querySelectorAll('main img, main script, dialog img, dialog script').length") == 0
        )
        assert page.title() == "Batchyard"
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_it_asks_for_nothing_but_its_own_and_changes_nothing(yard: Yard, open_page: Open) -> None:
    yard.seen.clear()
    page = live(open_page(yard))
    page.get_by_role("button", name="too-large").first.click()
    expect(page.get_by_role("dialog").get_by_text("JobTooLarge").first).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("cell", name="cpu 64, memory 512000Mi").first).to_be_visible()
    assert {method for method, _ in yard.seen} == {"GET"}
    assert [path for _, path in yard.seen if not path.startswith(PREFIX)] == []
    entries = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in entries if not name.startswith(yard.url)] == []


def test_a_job_by_its_name(yard: Yard, open_page: Open) -> None:
    page = live(open_page(yard))
    page.get_by_label("Why does this job wait?").fill("media/report")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_text("waits for 2 of 2 dependencies").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Why does this job wait?").fill("media/nobody")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("dialog").get_by_text("no Job 'nobody' in namespace 'media'")).to_be_visible()


def test_it_is_used_with_the_keyboard_alone(yard: Yard, open_page: Open) -> None:
    page = live(open_page(yard))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the tables")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
    job = page.locator("button.job").first
    expect(job).to_be_focused()
    for _ in range(2):  # looks at the operator must not take the focus away
        with page.expect_response(lambda answer: answer.url.endswith("v1/status")):
            pass
    expect(job).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(job).to_be_focused()


def test_rows_are_filtered(yard: Yard, open_page: Open) -> None:
    page = live(open_page(yard))
    page.get_by_label("Show only rows with").fill("outofmem")
    waiting, ended = (page.get_by_role("region", name=name) for name in ("What waits", "What has ended"))
    expect(ended.get_by_role("row", name="train")).to_be_visible()
    expect(ended.get_by_role("row", name="etl")).to_be_hidden()
    expect(waiting.get_by_text("No row has these words.")).to_be_visible()


def test_what_is_stale_is_said_and_asked_for_less_often(yard: Yard, open_page: Open) -> None:
    page = live(open_page(yard))
    yard.broken = True
    try:
        expect(page.get_by_role("status")).to_contain_text("Stale since")
        expect(page.get_by_role("status")).to_contain_text("trying again in 8s")
        expect(page.get_by_text("transcode-0").first).to_be_visible()
    finally:
        yard.broken = False
    expect(page.get_by_role("status")).to_have_text("Live")


def test_a_page_that_nobody_sees_does_not_ask(yard: Yard, open_page: Open) -> None:
    page = live(open_page(yard))
    hide = (
        "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.evaluate(hide, arg=True)
    page.wait_for_timeout(500)  # a look that was under way may end
    before = len(yard.seen)
    page.wait_for_timeout(4500)  # nothing happens, and that is what is waited for
    assert len(yard.seen) == before
    with page.expect_response(lambda answer: answer.url.endswith("v1/status")):
        page.evaluate(hide, arg=False)


def test_a_standby_names_the_leader(open_page: Open) -> None:
    with open_yard(Store(), standby("batchyard-6f7c9-x2x1z")) as yard:
        page = open_page(yard, 400)
        expect(page.get_by_role("status")).to_have_text("Standing by")
        said = "kubectl port-forward -n batchyard-system pod/batchyard-6f7c9-x2x1z 8080"
        expect(page.get_by_text(said)).to_be_visible()
