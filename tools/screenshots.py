"""Takes the README's pictures of the dashboard that runs here.

python -m tools.screenshots             # writes docs/images/*.png; `make demo` before it
"""

from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from hilum.settings import settings
from tests.bench.page_clock import wait_drawn
from tests.support.dashboards import CHROMIUM, CHROMIUM_ARGUMENTS

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
"""Where the README finds them."""

SIZE = {"width": 1280, "height": 900}
"""Of each picture, in CSS pixels."""

TIMEOUT_MS = 60_000
"""Longest wait for a page to be drawn."""


def main() -> None:
    """Take both pictures of the local dashboard."""
    url = f"http://{settings().host}:{settings().dashboard_port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        for picture in take(browser, url, IMAGES):
            print(picture)
        browser.close()


def take(browser: Browser, url: str, folder: Path) -> tuple[Path, Path]:
    """Write a picture of an examined example, and of how good the champion is."""
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]})
    page.set_default_timeout(TIMEOUT_MS)
    examine, evaluation = folder / "examine.png", folder / "evaluation.png"
    _open(page, url)
    page.get_by_role("button", name="COVID-19").click()
    _shoot(page, examine, page.get_by_role("heading", name="COVID-19"))
    _open(page, f"{url}/evaluation")
    _shoot(page, evaluation, page.get_by_role("heading", level=1))
    page.close()
    return examine, evaluation


def _open(page: Page, url: str) -> None:
    page.goto(url)
    wait_drawn(page)


def _shoot(page: Page, path: Path, top: Locator) -> None:
    """Take the picture of what lies below a heading, once all of it is drawn."""
    top.first.wait_for()
    wait_drawn(page)
    top.first.evaluate("heading => heading.scrollIntoView()")
    wait_drawn(page)  # what comes into view may only now be drawn
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
