"""The dashboard with much behind it, in a real browser: paint, interactions, memory, and upload to verdict.

Behind it lie 100,000 predictions with their embeddings for each of two releases, fifty releases, a ledger of
a thousand entries and thirty days of metrics. Dashboard, servers and browser share the machine's cores.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from clients.client import ScreeningClient
from hilum.console import track
from hilum.errors import UsageError
from tests.bench.dashboard_stack import FullStack, full_stack
from tests.bench.page_clock import LISTEN, answer_s, interaction_s, paint_s, wait_drawn
from tests.bench.process_tree import resident_bytes
from tests.bench.report import Measurement
from tests.support.dashboards import (
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    DROP_ZONE,
    RunningDashboard,
    running_dashboard,
)

PAGES = {
    "examine": "",
    "operations": "operations",
    "evaluation": "evaluation",
    "data": "data",
    "releases": "releases",
    "about": "about",
}
"""Each page, and its address."""

PAINT_S, INTERACTION_S, MEMORY_MIB, UPLOAD_RATIO = 2.5, 1.0, 700, 1.3
"""What is to be reached at most."""

UPLOADS = 4
"""Uploads for each round of the other measurements: they are short."""

Clicks = Callable[[Page, int], None]
"""What a reader does in one round; every round changes something, the first one too."""


def measure_dashboard(repository: Path, images: Path | None, *, rounds: int) -> list[Measurement]:
    """Fill real servers, run a dashboard on them and use it.

    Args:
        repository: model repository whose networks are served.
        images: radiographs that its filter accepts.
        rounds: how often each page is opened and each thing is done.

    Raises:
        UsageError: there is no browser, no Prometheus, or no release in the repository.
    """
    if CHROMIUM is None:
        raise UsageError("There is no browser. Install it with `sudo apt-get install chromium`.")
    with (
        tempfile.TemporaryDirectory(prefix="hilum-bench-") as name,
        full_stack(repository, images, Path(name)) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        with running_dashboard(stack.environment, Path(name) / "dashboard.log") as dashboard:
            return measure_pages(browser, dashboard, stack, rounds)


def measure_pages(
    browser: Browser, dashboard: RunningDashboard, stack: FullStack, rounds: int
) -> list[Measurement]:
    """Measure a dashboard that nobody has opened yet."""
    found = [*_paints(browser, dashboard.url, rounds), *_interactions(browser, dashboard.url, rounds)]
    memory = resident_bytes(dashboard.pid) / 2**20
    return [
        *found,
        Measurement(
            name="memory_mib",
            what="memory of the dashboard after all that (PSS), MiB",
            value=memory,
            at_most=MEMORY_MIB,
        ),
        *_uploads(browser, dashboard.url, stack, UPLOADS * rounds),
    ]


def _paints(browser: Browser, url: str, rounds: int) -> Iterator[Measurement]:
    """Open every page as a reader who was never here; the very first opening of each is told apart."""
    first: dict[str, float] = {}
    begun: dict[str, list[float]] = {name: [] for name in PAGES}
    drawn: dict[str, list[float]] = {name: [] for name in PAGES}
    for count in track(range(rounds + 1), "Opening pages", total=rounds + 1):
        for name, path in PAGES.items():
            with _reader(browser) as page:
                begun_s, drawn_s = paint_s(page, f"{url}/{path}")
            if count:
                begun[name].append(begun_s)
                drawn[name].append(drawn_s)
            else:
                first[name] = drawn_s
    for name in PAGES:
        yield Measurement(
            name=f"paint_{name}_s",
            what=f"{name}: to the first paint, s",
            value=median(begun[name]),
            at_most=PAINT_S,
        )
        yield Measurement(name=f"paint_{name}_worst_s", what="  worst", value=max(begun[name]))
        yield Measurement(name=f"drawn_{name}_s", what="  to the last plot", value=median(drawn[name]))
        yield Measurement(
            name=f"drawn_{name}_first_s", what="  the first time since the server's start", value=first[name]
        )


def _interactions(browser: Browser, url: str, rounds: int) -> Iterator[Measurement]:
    """Do each thing several times on a page that is open."""
    for name, (path, clicks) in INTERACTIONS.items():
        with _reader(browser) as page:
            paint_s(page, f"{url}/{path}")
            seconds = [
                interaction_s(page, partial(clicks, page, count))
                for count in track(range(rounds + 1), name, total=rounds + 1)
            ][1:]  # what is read or computed once is not the reader's daily wait
        yield Measurement(
            name=f"{name.replace(' ', '_')}_s",
            what=f"{path or 'examine'}: {name}, s",
            value=median(seconds),
            at_most=INTERACTION_S,
        )
        yield Measurement(name=f"{name.replace(' ', '_')}_worst_s", what="  worst", value=max(seconds))


def _move_threshold(page: Page, count: int) -> None:
    slider = page.get_by_role("slider", name="from a probability of")
    slider.press("ArrowLeft" if count % 2 else "ArrowRight")


def _choose(row: str, *names: str) -> Clicks:
    """Return clicks on one of a named row of buttons after another."""

    def choose(page: Page, count: int) -> None:
        buttons = page.get_by_role("radiogroup", name=row, exact=True)
        buttons.get_by_role("radio", name=names[count % len(names)], exact=True).click()

    return choose


INTERACTIONS: Mapping[str, tuple[str, Clicks]] = {
    "moving the threshold": ("evaluation", _move_threshold),
    "choosing the class": ("evaluation", _choose("Class", "lung opacity", "COVID-19")),
    "changing the time range": ("operations", _choose("Time range", "30 days", "1 day", "7 days")),
    "changing the colours of the map": (
        "data",
        _choose("Coloured by", "source", "true class", "decided class"),
    ),
    "changing the language": ("", _choose("Language · Idioma", "Português", "English")),
}
"""What is done, on which page."""


def _uploads(browser: Browser, url: str, stack: FullStack, count: int) -> list[Measurement]:
    """Upload an image, and send the same to the same server by the client, in turn."""
    page_s, client_s = [], []
    file: FilePayload = {"name": "film.jpg", "mimeType": "image/jpeg", "buffer": stack.image}
    with _reader(browser) as page, ScreeningClient(stack.triton) as client:
        for _ in track(range(count), "Uploading", total=count):
            paint_s(page, url)  # a session without a history
            start = time.perf_counter()
            client.screen(stack.image, heatmap=True)
            client_s.append(time.perf_counter() - start)
            page_s.append(answer_s(page, page.locator(DROP_ZONE), file))
            wait_drawn(page)
    return _compared(page_s[1:], client_s[1:])


def _compared(page_s: Sequence[float], client_s: Sequence[float]) -> list[Measurement]:
    return [
        Measurement(name="upload_s", what="upload to verdict on the page, s", value=median(page_s)),
        Measurement(name="client_s", what="the client's round trip, s", value=median(client_s)),
        Measurement(
            name="upload_ratio",
            what="upload to verdict / the client's round trip",
            value=median(page_s) / median(client_s),
            at_most=UPLOAD_RATIO,
        ),
    ]


@contextmanager
def _reader(browser: Browser) -> Iterator[Page]:
    """Give a page of a reader of its own, with nothing in the browser's cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 1200})
    context.set_default_timeout(60_000)
    context.add_init_script(LISTEN)
    try:
        yield context.new_page()
    finally:
        context.close()
