"""Looking into a picture on the Examine page: with a mouse, by keyboard alone, on a phone."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.integration.browser.conftest import settled
from tests.support.dashboards import DROP_ZONE
from tests.support.image_files import drawn_picture, encoded

OpenPage = Callable[..., Page]

FILM = encoded(drawn_picture(256, 256), "PNG")

LONG_NAME = "x" * 300 + ".png"


def send(page: Page, *names: str) -> None:
    page.set_input_files(
        DROP_ZONE, [FilePayload(name=name, mimeType="image/png", buffer=FILM) for name in names]
    )
    expect(page.get_by_role("heading", name=names[0])).to_be_visible()
    settled(page)


def pane(page: Page) -> Locator:
    return page.get_by_role("group", name="Zoom with").first


def looked_at(page: Page) -> tuple[float, ...]:
    """Return how the picture is shifted, in percent of its sides, and how often it is enlarged."""
    transform = pane(page).locator(".layer").evaluate("one => one.style.transform")
    return tuple(map(float, re.findall(r"-?[\d.]+", transform)))


def test_it_is_zoomed_and_shifted_by_keyboard_alone_and_by_mouse(open_page: OpenPage) -> None:
    page = open_page()
    send(page, "film.png")
    pane(page).focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert looked_at(page) == pytest.approx((-62.5, -62.5, 2.25))
    expect(page.get_by_text("2.3 \N{MULTIPLICATION SIGN}")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert looked_at(page) == pytest.approx((-72.5, -52.5, 2.25))
    page.keyboard.press("0")
    assert looked_at(page) == (0, 0, 1)
    box = pane(page).bounding_box()
    assert box is not None
    place = (box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.dblclick(*place)
    assert looked_at(page) == pytest.approx((-50, -50, 3), abs=1), "that place stays where it was"
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] + box["width"] / 10, place[1])
    page.mouse.up()
    page.mouse.move(*place)
    assert looked_at(page) == pytest.approx((-40, -50, 3), abs=1), "dragged, and let go"


def test_colours_are_faded_and_put_beside_the_picture_and_so_they_stay(open_page: OpenPage) -> None:
    page = open_page()
    send(page, "film.png")
    page.context.set_offline(True)  # none of this asks the server
    coloured = pane(page).locator(".coloured")
    page.get_by_role("slider", name="Strength of the colours").focus()
    page.keyboard.press("Home")
    assert coloured.evaluate("one => one.style.opacity") == "0"
    page.get_by_role("checkbox", name="Side by side").check()
    expect(page.get_by_role("group", name="Zoom with")).to_have_count(2)
    expect(coloured).to_be_hidden()
    page.get_by_role("button", name="Zoom in").click()
    first, second = page.locator(".layer").evaluate_all("all => all.map(one => one.style.transform)")
    assert first == second, "both show the same place"
    assert looked_at(page)[2] == 1.5
    page.context.set_offline(False)
    send(page, "another.png")
    assert looked_at(page) == (0, 0, 1), "another picture is shown as a whole"
    expect(page.get_by_role("checkbox", name="Side by side")).to_be_checked()
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="film.png")).to_be_visible()


def test_another_finding_shows_other_evidence(open_page: OpenPage) -> None:
    page = open_page()
    send(page, "film.png")
    coloured = pane(page).locator(".coloured")
    before = coloured.get_attribute("alt")
    page.get_by_role("radiogroup", name="Show evidence for").get_by_role("radio", checked=False).first.click()
    expect(coloured).not_to_have_attribute("alt", str(before))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_answer_is_accessible(open_page: OpenPage, *, dark: bool) -> None:
    page = open_page(dark=dark)
    send(page, "film.png", "notes.png")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert found.violations_count == 0, found.generate_report()


def test_an_answer_with_a_long_name_fits_a_phone(open_page: OpenPage) -> None:
    page = open_page(width=390)
    send(page, LONG_NAME, "film.png")
    page.get_by_role("checkbox", name="Side by side").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = pane(page).bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390
    widest = page.locator("[data-testid=stMain] *").evaluate_all(
        "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    )
    assert widest <= 391
