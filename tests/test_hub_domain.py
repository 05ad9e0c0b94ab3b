"""A hub with a domain: every server and every course's page has a name of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.commands import run
from tests.running_hub import SECONDS, Hub, chromium, hub_of_two_courses, signed_in
from tests.test_hub_loop import open_assignments, press

DOMAIN = "hub.example.edu"
ASK_AS_IF_FROM_THE_HUB = """async (address) => {
    try {
        const answer = await fetch(address, {credentials: "include"});
        return `${answer.status} ${await answer.text()}`;
    } catch (error) {
        return "blocked";
    }
}"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """The hub, started once."""
    with hub_of_two_courses(domain=DOMAIN) as started:
        yield started


@pytest.fixture(scope="module")
def browser(hub: Hub) -> Iterator[Browser]:
    """Chromium, to which every name below the domain is this hub."""
    names = ",".join(f"MAP {name}:80 127.0.0.1:{hub.port}" for name in (DOMAIN, f"*.{DOMAIN}"))
    with chromium(f"--host-resolver-rules={names}") as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(hub: Hub, browser: Browser) -> Page:
    """A student with a running server."""
    page = signed_in(browser, hub, "ada")
    page.goto(f"{hub.address}/hub/spawn")
    page.get_by_label("CPU").check()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/user/ada/lab**", timeout=SECONDS * 1000)
    expect(page.locator(".jp-Launcher")).to_be_visible()
    return page


@pytest.mark.proof
def test_a_server_has_a_name_of_its_own(hub: Hub, ada: Page) -> None:
    """JupyterLab runs under the student's name, and its pages read nothing of the hub with the student's cookies."""
    host = urlsplit(ada.url).hostname or ""
    assert host.endswith(f".{DOMAIN}")
    assert host != DOMAIN
    assert ada.evaluate(ASK_AS_IF_FROM_THE_HUB, f"{hub.address}/hub/api/user") == "blocked"


def on_the_grading_page(hub: Hub, browser: Browser, user: str) -> Page:
    """Somebody of the staff has followed the link on the hub's page."""
    page = signed_in(browser, hub, user)
    page.get_by_role("button", name="Services").click()
    page.get_by_role("link", name="grading-dl101").click()
    expect(page.locator("#main-table").get_by_text("tiny")).to_be_visible()
    return page


@pytest.mark.proof
def test_the_exchange_answers_below_a_domain(hub: Hub, browser: Browser, ada: Page) -> None:
    """What staff release, students fetch and submit in JupyterLab."""
    iris = on_the_grading_page(hub, browser, "iris")
    assert "Success" in press(iris, "tiny", "assign")
    assert "Success" in press(iris, "tiny", "release")
    listing = open_assignments(ada, ada.url.partition("/user/")[0], "ada")
    listing.get_by_role("button", name="Fetch", exact=True).click()
    listing.get_by_role("button", name="Submit", exact=True).click()
    expect(listing.locator("#submitted_assignments_list").get_by_text("tiny").first).to_be_visible()


@pytest.mark.proof
def test_a_grading_page_has_a_name_of_its_own(hub: Hub, browser: Browser) -> None:
    """Staff reach the page of their course from the hub's page; it has another name than any server."""
    tom = on_the_grading_page(hub, browser, "tom")
    assert (urlsplit(tom.url).hostname or "").endswith(f".{DOMAIN}")


def test_an_address_with_a_path_is_no_domain(tmp_path: Path) -> None:
    """What cannot have names in front of it is refused before anything starts."""
    (tmp_path / "hub_config").mkdir()
    for wrong in ("hub.example.edu", "https://example.edu/hub", "ftp://example.edu"):
        done = run(tmp_path, "tensorgrade", "hub", "hub_config", "--state", "state", "--domain", wrong)
        assert done.returncode == 2
        assert "expected an address such as https://hub.example.edu" in done.stderr
    assert not (tmp_path / "state").exists()
