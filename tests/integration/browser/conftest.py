"""The dashboard in a real browser, beside a real Triton and a real MLflow with three toy releases."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.dashboards import CHROMIUM, CHROMIUM_ARGUMENTS, running_dashboard
from tests.support.ports import free_ports
from tests.support.registries import without_aliases
from tests.support.rollout_site import RolloutSite
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST, SECOND
from tests.support.verdicts import judge
from training.ledger.ledger import Ledger
from training.promote.promotion import promote_release

KEY = "a key that only tests know"

expect.set_options(timeout=30_000)


@dataclass(frozen=True)
class Site:
    """A running dashboard, and what it shows."""

    url: str
    champion: int
    judged: int
    """A release with a passing verdict against the champion."""
    log: Path
    environment: Mapping[str, str]
    """What its dashboard was started with."""


@pytest.fixture(scope="module")  # its event loop would be in the way of other tests
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no browser: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(
    running_site: RolloutSite, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A dashboard over the servers that other tests use too; they find a registry without aliases again."""
    champion, judged = (running_site.releases.number(kind) for kind in (FIRST, SECOND))
    registry = without_aliases(running_site.releases.registry)
    home = tmp_path_factory.mktemp("dashboard")
    ledger_url = f"sqlite:///{home / 'ledger.db'}"
    with Ledger(ledger_url) as ledger:
        promote_release(registry, ledger, champion, who="Ada", reason="the first", force=True)
        judge(registry, ledger, judged, against=champion)
    (home / "tmp").mkdir()
    environment = {
        "HILUM_HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "HILUM_TRITON_URL": running_site.address,
        "HILUM_MLFLOW_URI": mlflow_server,
        "HILUM_LEDGER_URL": ledger_url,
        "HILUM_ADMIN_KEY": ADMIN_KEY,
        "HILUM_DASHBOARD_KEY": KEY,
        "HILUM_PROMETHEUS_URL": f"http://127.0.0.1:{free_ports(1)[0]}",  # nobody: a page must bear that
    }
    with running_dashboard(environment, home / "dashboard.log") as dashboard:
        yield Site(dashboard.url, champion, judged, home / "dashboard.log", environment)
    without_aliases(registry)


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens a page of the dashboard as a reader of its own."""
    contexts = []

    def open_page(path: str = "", *, dark: bool = False, width: int = 1280) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1200}, color_scheme="dark" if dark else "light"
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{site.url}/{path}")
        page.wait_for_selector("h1")
        settled(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


def settled(page: Page) -> None:
    """Wait until the page's program has run to its end."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
