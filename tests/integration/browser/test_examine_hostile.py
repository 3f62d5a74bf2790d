"""The Examine page under what people send by mistake or on purpose, and under a server in trouble."""

import csv
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import streamlit as st
from playwright.sync_api import Browser, FilePayload, Page, expect

from dashboard.examine.examining import examine
from dashboard.examine.report_page import as_html
from dashboard.examine.uploads import IN_FLIGHT, MAX_FILES
from hilum.settings import settings
from tests.integration.browser.conftest import Site, settled
from tests.support.attacks import ATTACKS
from tests.support.dashboards import DROP_ZONE, running_dashboard
from tests.support.data import shared_data
from tests.support.fake_front_door import FakeFrontDoor
from tests.support.grpc_server import grpc_server
from tests.support.image_files import PATIENT_NAME, dicom_file, drawn_picture, encoded
from tests.support.ports import free_ports
from tests.support.rollout_site import RolloutSite

OpenPage = Callable[..., Page]

MARKER = PATIENT_NAME.split("^")[0]

NAME = "maria-souza-1961.dcm"
"""A name that tells who it is."""

TILES = "[class*=st-key-examine_show_]"

FILM = encoded(drawn_picture(256, 256), "PNG")
SMALL = encoded(drawn_picture(), "PNG")
HELD = encoded(drawn_picture(256, 255), "PNG")
"""What a server in trouble does not answer until it is let go on."""

SENT, ANSWERED = 40, 5

PATIENCE_S = 30


def send(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files on the page."""
    page.set_input_files(
        DROP_ZONE, [FilePayload(name=name, mimeType="image/png", buffer=content) for name, content in files]
    )


@pytest.fixture
def _asks_the_site(running_site: RolloutSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the page's own functions ask the site's Triton, from this process."""
    monkeypatch.setenv("HILUM_TRITON_URL", running_site.address)
    settings.cache_clear()
    st.cache_resource.clear()
    yield
    settings.cache_clear()
    st.cache_resource.clear()


@pytest.mark.skipif(shared_data() is None, reason="the hostile files are not on this machine (HILUM_DATA)")
@pytest.mark.usefixtures("_asks_the_site")
def test_every_hostile_file_is_answered_or_refused_as_it_should_be() -> None:
    data = shared_data()
    assert data is not None
    with (data / "hostile" / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    examinations = [examine(row["file"], (data / "hostile" / row["body"]).read_bytes()) for row in rows]
    assert len(rows) >= 72
    for row, examination in zip(rows, examinations, strict=True):
        outcome = "reject" if examination.screening is None else "accept"
        assert outcome in {row["expected"], row["also_ok"]}, (row["file"], examination.words)
        assert examination.error is None, (row["file"], examination.words)
        assert examination.file.isprintable()
    report = as_html(examinations).decode()
    assert MARKER not in report
    assert "<script>" not in report


@pytest.mark.usefixtures("_asks_the_site")
@pytest.mark.parametrize("attack", ["dicom deflated", "dicom deflated in its second syntax"])
def test_a_bomb_in_a_dicom_is_refused(attack: str) -> None:
    examination = examine("bomb.dcm", ATTACKS[attack]())
    assert examination.screening is None
    assert examination.error is None, "the service did not fall over it"
    assert examine("film.png", FILM).screening is not None


def test_five_hundred_files_at_once_are_bounded_and_the_page_stays_usable(open_page: OpenPage) -> None:
    page = open_page()
    send(page, *((f"{n}.png", SMALL) for n in range(500)))
    expect(page.get_by_text(f"500 pictures at once are too many: the first {MAX_FILES}")).to_be_visible(
        timeout=90_000
    )
    settled(page)
    expect(page.locator(TILES)).to_have_count(MAX_FILES)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text(f"Picture 2 of {MAX_FILES}")).to_be_visible()
    page.get_by_role("button", name="Forget all").click()
    expect(page.get_by_text("No picture yet")).to_be_visible()


def test_a_file_beyond_the_limit_is_refused_in_the_readers_language_and_the_others_are_not(
    open_page: OpenPage, tmp_path: Path
) -> None:
    with (tmp_path / "huge.dcm").open("wb") as stream:
        stream.truncate(200 * 2**20)
    (tmp_path / "film.png").write_bytes(FILM)
    page = open_page("?lang=pt")
    page.set_input_files(DROP_ZONE, [tmp_path / "huge.dcm", tmp_path / "film.png"])
    expect(page.get_by_role("heading", name="film.png")).to_be_visible()
    settled(page)
    expect(page.get_by_role("listitem").filter(has_text="huge.dcm")).to_contain_text(
        "O arquivo é grande demais"
    )
    expect(page.locator(TILES)).to_have_count(1)


def test_nothing_of_a_patient_is_on_disk_in_a_log_or_in_an_address(
    open_page: OpenPage, site: Site, running_site: RolloutSite, browser: Browser, tmp_path: Path
) -> None:
    page = open_page()
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    pixels = np.kron(drawn_picture(256, 256), np.ones((8, 8), np.uint8))  # of 4 MiB, as a film may be
    send(page, (NAME, dicom_file(pixels, PatientID=MARKER)))
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    settled(page)
    kept = {}
    for button in ("Table (CSV)", "Report (HTML)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        kept[button] = tmp_path / download.value.suggested_filename
        download.value.save_as(kept[button])
        assert kept[button].stem == "hilum"
    for path in kept.values():
        assert NAME in path.read_text()
        assert MARKER not in path.read_text()
    assert MARKER not in page.content()
    secrets = (MARKER.encode(), NAME.encode(), pixels[1000].tobytes())
    logs = [running_site.server.home / "triton.log", *site.log.parent.rglob("*")]
    found = [
        path for path in logs if path.is_file() and any(secret in path.read_bytes() for secret in secrets)
    ]
    assert found == []
    assert not [one for one in addresses if MARKER in one or "maria" in one.lower()]
    assert_fetches_nothing(browser, kept["Report (HTML)"])


def assert_fetches_nothing(browser: Browser, path: Path) -> None:
    """A page that is opened from disk asks nobody for anything."""
    page = browser.new_page()
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(path.as_uri())
    expect(page.get_by_text("not a medical device")).to_be_visible()
    assert page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    assert [one for one in addresses if not one.startswith("data:")] == [path.as_uri()]
    page.close()


class TroubledFrontDoor(FakeFrontDoor):
    """Answers `FILM` at once, and `HELD` when it is let go on; unless it is gone by then."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.is_gone = False

    def ModelInfer(self, request: object, context: grpc.ServicerContext) -> object:  # noqa: N802
        if HELD in request.raw_input_contents[0]:  # type: ignore[attr-defined]
            self.go_on.wait(PATIENCE_S)
            if self.is_gone:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return super().ModelInfer(request, context)

    def ServerLive(self, request: object, context: grpc.ServicerContext) -> object:  # noqa: N802
        if self.is_gone:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return super().ServerLive(request, context)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TroubledFrontDoor, str]]:
    """A front door in this process, and the address of a dashboard before it."""
    home = tmp_path_factory.mktemp("troubled")
    door = TroubledFrontDoor()
    with grpc_server(door) as address:
        nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
        environment = {
            "HILUM_HOME": str(home),
            "HILUM_TRITON_URL": address,
            "HILUM_MLFLOW_URI": nobody,
            "HILUM_PROMETHEUS_URL": nobody,
        }
        with running_dashboard(environment, home / "dashboard.log") as dashboard:
            yield door, dashboard.url


@pytest.fixture
def batch(
    troubled: tuple[TroubledFrontDoor, str], browser: Browser
) -> Iterator[tuple[TroubledFrontDoor, Page]]:
    """A page on which some files are answered, and the others wait."""
    door, url = troubled
    door.is_gone = False
    door.go_on.clear()
    page = browser.new_page()
    page.goto(url)
    page.wait_for_selector("h1")
    settled(page)
    send(page, *((f"{n}.png", FILM if n < ANSWERED else HELD) for n in range(SENT)))
    expect(page.get_by_text(f"{ANSWERED} of {SENT} pictures")).to_be_visible()
    yield door, page
    door.go_on.set()
    page.close()


@pytest.mark.parametrize("is_gone", [False, True], ids=["slow", "gone"])
def test_a_server_in_trouble_amid_a_batch_costs_nothing_that_was_answered(
    batch: tuple[TroubledFrontDoor, Page], *, is_gone: bool
) -> None:
    door, page = batch
    door.is_gone = is_gone
    door.go_on.set()
    asked = ANSWERED + IN_FLIGHT if is_gone else SENT
    expect(page.locator(TILES)).to_have_count(asked)
    settled(page)
    expect(page.get_by_text("no answer", exact=True)).to_have_count(IN_FLIGHT if is_gone else 0)
    expect(page.get_by_text("Not examined. Send it again later.", exact=True)).to_have_count(SENT - asked)
    page.get_by_role("button", name=f"{asked - 1}.png", exact=True).click()
    card = (
        page.get_by_test_id("stMain").get_by_role("alert") if is_gone else page.get_by_test_id("stMarkdown")
    )
    words = "The service does not answer, so this picture" if is_gone else "Worth a look"
    expect(card.filter(has_text=words)).to_be_visible()


def test_a_batch_can_be_stopped_and_keeps_what_was_answered(batch: tuple[TroubledFrontDoor, Page]) -> None:
    door, page = batch
    page.get_by_role("button", name="Stop").click()
    door.go_on.set()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    settled(page)
    expect(page.get_by_role("heading", name="0.png")).to_be_visible()
    expect(page.locator(TILES)).to_have_count(ANSWERED + IN_FLIGHT)
    expect(page.get_by_text("Not examined. Send it again later.", exact=True)).to_have_count(
        SENT - ANSWERED - IN_FLIGHT
    )
