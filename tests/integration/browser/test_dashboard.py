"""What people do on the dashboard, done in Chromium against real servers."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as BrowserError

from tests.integration.browser.conftest import KEY, Site, settled
from tests.support.dashboards import DROP_ZONE
from tests.support.data import REPOSITORY, shared_data
from tests.support.image_files import PATIENT_NAME, dicom_file, drawn_picture, encoded
from tools.screenshots import IMAGES, SIZE, take

OpenPage = Callable[..., Page]

PAGES = ("", "operations", "evaluation", "data", "releases", "about")

CARD = "[class*=st-key-examine_show_]"


def send(page: Page, *files: Path) -> None:
    page.set_input_files(DROP_ZONE, [str(path) for path in files])


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_radiograph_gets_an_answer_in_words_with_heat_map_and_notice(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    send(page, file(tmp_path, "film.png", encoded(drawn_picture(256, 256), "PNG")))
    expect(page.get_by_text("Answered by release")).to_be_visible()
    expect(page.get_by_role("heading", name="film.png")).to_be_visible()
    expect(page.get_by_text("not a medical device").first).to_be_visible()


@pytest.mark.skipif(shared_data() is None, reason="there are no real radiographs here (HILUM_DATA)")
def test_real_and_hostile_files_each_get_an_answer_of_their_own(open_page: OpenPage) -> None:
    data = shared_data()
    assert data is not None
    film = sorted((data / "cxr" / "images").rglob("*.jpg"))[0]
    hand = sorted((data / "cxr" / "images" / "medical_mnist").glob("Hand*"))[0]
    hostile = sorted(path for path in (data / "hostile").iterdir() if path.suffix == ".jpg")[:2]
    page = open_page()
    send(page, film, hand, *hostile)
    expect(page.locator(CARD)).to_have_count(2 + len(hostile))
    settled(page)
    assert page.get_by_test_id("stException").count() == 0


def test_a_dicom_file_is_read_and_nothing_of_the_patient_is_shown_or_logged(
    open_page: OpenPage, site: Site, tmp_path: Path
) -> None:
    page = open_page()
    send(page, file(tmp_path, "scan.dcm", dicom_file(drawn_picture(256, 256))))
    expect(page.get_by_role("heading", name="scan.dcm")).to_be_visible()
    assert PATIENT_NAME.split("^")[0] not in page.content()
    assert PATIENT_NAME.split("^")[0] not in page.url
    assert PATIENT_NAME.split("^")[0] not in site.log.read_text()


def test_what_is_no_picture_is_refused_in_plain_words(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    send(page, file(tmp_path, "notes.txt", b"no picture at all, only words " * 20))
    expect(page.get_by_text("This kind of file cannot be read.").last).to_be_visible()


def test_two_readers_do_not_see_each_others_pictures(open_page: OpenPage, tmp_path: Path) -> None:
    first, second = open_page(), open_page()
    send(first, file(tmp_path, "mine-alone.png", encoded(drawn_picture(256, 256), "PNG")))
    expect(first.get_by_role("heading", name="mine-alone.png")).to_be_visible()
    second.reload()
    second.wait_for_selector("h1")
    settled(second)
    expect(second.get_by_text("No picture yet")).to_be_visible()
    assert "mine-alone" not in second.content()


def test_the_language_is_switched_and_stays_in_the_address(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("radio", name="Português").click()
    expect(page.get_by_role("heading", name="Examinar radiografias de tórax")).to_be_visible()
    page.wait_for_url("**lang=pt**")


def test_deciding_is_off_until_the_key_is_shown(open_page: OpenPage) -> None:
    page = open_page("releases")
    expect(page.get_by_role("button", name="Roll back")).to_be_disabled()
    page.get_by_label("Your name, for the ledger").fill("Eve")
    page.get_by_label("Key", exact=True).fill("a key that was guessed")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This is not the key.")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_be_disabled()


def test_a_release_is_promoted_and_rolled_back_with_name_and_reason(open_page: OpenPage, site: Site) -> None:
    page = open_page("releases")
    page.get_by_label("Your name, for the ledger").fill("Grace")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Signed in as Grace.")).to_be_visible()
    choose_release(page, site.judged)
    decide(page, f"Promote release {site.judged}", "better on portable films")
    expect(page.get_by_text(f"Release {site.judged} is the champion.")).to_be_visible()
    decide(page, "Roll back", "it was not")
    expect(page.get_by_text(f"Release {site.champion} is the champion.")).to_be_visible()


def choose_release(page: Page, number: int) -> None:
    settled(page)
    chosen = page.get_by_role("combobox", name="Release")
    for _ in range(5):  # a list that opens while the page still draws is closed again
        chosen.press("ArrowDown")
        with suppress(BrowserError):
            page.get_by_role("option", name=f"release {number}", exact=True).click(timeout=5_000)
            break
    expect(chosen).to_have_value(f"release {number}")
    settled(page)


def decide(page: Page, action: str, reason: str) -> None:
    settled(page)
    page.get_by_role("button", name=action, exact=True).click()
    page.get_by_label("Why? The ledger keeps it.").fill(reason)
    page.get_by_role("button", name="Yes, do it").click()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(open_page: OpenPage, path: str, *, dark: bool) -> None:
    page = open_page(path, dark=dark)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert found.violations_count == 0, found.generate_report()


def test_examine_fits_a_phone(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(width=390)
    send(page, file(tmp_path, "film.png", encoded(drawn_picture(256, 256), "PNG")))
    expect(page.get_by_text("Answered by release")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone(open_page: OpenPage, path: str) -> None:
    page = open_page(path, width=390)
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollWidth") <= 390


def test_the_pictures_of_the_readme_can_be_taken(browser: Browser, site: Site, tmp_path: Path) -> None:
    pictures = take(browser, site.url, tmp_path / "images")
    for picture in pictures:
        with Image.open(picture) as opened:
            assert opened.size == (SIZE["width"], SIZE["height"])
            assert len(opened.convert("RGB").getcolors(1 << 20) or ()) > 100  # not an empty page
    readme = (REPOSITORY / "README.md").read_text()
    assert all(f"docs/images/{picture.name}" in readme for picture in pictures)
    assert all((IMAGES / picture.name).is_file() for picture in pictures)
