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


@pytest.mark.parametrize("script", [True, False])
def test_a_view_is_saved_opened_and_deleted(new_page: NewPage, served: Served, script: bool) -> None:
    origin, _ = served
    page = new_page(java_script_enabled=script)
    said = complaints(page)
    page.goto(f"{origin}/tasks?kind=milestone")
    page.locator("details.views summary").click()
    page.get_by_label("Keep what is seen now as").fill("Stones")
    page.get_by_role("button", name="Save this view").click()
    assert page.url == f"{origin}/tasks?kind=milestone"
    page.goto(f"{origin}/tasks")
    page.locator("details.views summary").click()
    page.get_by_role("link", name="Stones", exact=True).click()
    assert page.url == f"{origin}/tasks?kind=milestone"
    page.goto(f"{origin}/views")
    page.get_by_role("button", name="Delete Stones").click()
    assert page.url == f"{origin}/views"
    assert page.get_by_role("link", name="Stones", exact=True).count() == 0
    assert not said


def test_projects_are_ticked_and_decided(new_page: NewPage, served: Served) -> None:
    origin, _ = served
    page = new_page(java_script_enabled=False)
    page.goto(f"{origin}/projects")
    page.locator("input[name=id]").first.check()
    page.get_by_role("button", name="take the decision back").click()
    assert "/projects?sorted=0" in page.url, "nothing was decided before"


def test_an_open_menu_is_for_everybody(new_page: NewPage, served: Served) -> None:
    origin, _ = served
    for theme in ("light", "dark"):
        page = new_page(color_scheme=theme, bypass_csp=True, viewport={"width": 320, "height": 900})
        page.goto(f"{origin}/projects")
        page.locator("details.views summary").click()
        assert not Axe().run(page, options=AXE).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_a_page_prints(new_page: NewPage, served: Served) -> None:
    origin, _ = served
    page = new_page()
    for path in ("/", "/timeline", "/workload"):
        page.goto(origin + path)
        assert page.pdf(format="A4").startswith(b"%PDF")
