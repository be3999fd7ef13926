"""Every page in a real browser: nothing against WCAG 2.2 AA in either theme, no word on the console, nothing sideways, no need of script or mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WIDTHS = (320, 1440)
NewPage = Callable[..., Page]
Served = tuple[str, list[str]]


def complaints(page: Page) -> list[str]:
    """What the browser says on its console from here on, violations of the content security policy included."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_for_everybody(new_page: NewPage, served: Served, theme: Any) -> None:
    origin, paths = served
    page = new_page(color_scheme=theme, bypass_csp=True)  # axe is put into the page by the test itself
    found = {}
    for path in paths:
        page.goto(origin + path)
        for each in Axe().run(page, options=AXE).response["violations"]:
            found[path, each["id"]] = [node["html"][:200] for node in each["nodes"]]
    assert not found


def test_no_page_makes_the_browser_complain(new_page: NewPage, served: Served) -> None:
    origin, paths = served
    page = new_page()
    said = complaints(page)
    for path in paths:
        answer = page.goto(origin + path)
        assert answer is not None
        assert answer.status == 200, path
        assert not said, f"{path}: {said}"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_goes_sideways(new_page: NewPage, served: Served, width: int) -> None:
    origin, paths = served
    page = new_page(viewport={"width": width, "height": 900})
    for path in paths:
        page.goto(origin + path)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{path} is {over} pixels too wide at {width}"


def test_without_script_a_list_can_be_filtered_and_followed(new_page: NewPage, served: Served) -> None:
    origin, _ = served
    page = new_page(java_script_enabled=False)
    page.goto(f"{origin}/tasks")
    page.get_by_label("Kind").select_option("milestone")
    page.get_by_role("button", name="Show").click()
    assert "kind=milestone" in page.url
    assert page.locator("tbody tr").count() == 16
    page.locator("tbody th a").first.click()
    assert "What the tool says" in page.content()


def test_the_keyboard_reaches_the_content_and_every_view(new_page: NewPage, served: Served) -> None:
    origin, _ = served
    page = new_page()
    page.goto(origin)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(f"{origin}/tasks")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("stone")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks?q=stone")


def test_a_page_prints(new_page: NewPage, served: Served) -> None:
    origin, _ = served
    page = new_page()
    for path in ("/", "/timeline", "/workload"):
        page.goto(origin + path)
        assert page.pdf(format="A4").startswith(b"%PDF")
