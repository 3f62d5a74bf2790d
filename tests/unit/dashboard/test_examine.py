"""The page for a radiologist: what it says of an answer, and how it bears many files."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from clients.errors import RadiographRefusedError
from clients.results import Screening
from dashboard.examine import reader
from dashboard.examine.examining import examine
from dashboard.examine.examples import EXAMPLES, example
from dashboard.examine.reader import Reader
from dashboard.examine.uploads import MAX_FILES
from dashboard.sources import evaluation_api, triton_api
from hilum.contract import NOTICE
from hilum.radiograph import decode_radiograph
from tests.support.examinations import POINT, examined, screened
from tests.support.image_files import drawn_picture, encoded

APP = str(Path(dashboard.__file__).with_name("app.py"))

FILM = encoded(drawn_picture(), "PNG")

Answers = Callable[[bytes], Screening]


def page(language: str = "en") -> AppTest:
    """Return the page, drawn by itself."""

    def script(language: str) -> None:
        import streamlit as st

        from dashboard.examine import page as examine

        st.session_state["language"] = language
        examine.draw()

    return AppTest.from_function(script, args=(language,), default_timeout=30).run()


def send(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """Send files as the drop zone does, and draw the page anew."""
    session: Reader = page.session_state["examine_reader"]
    examinations = [examine(name, content) for name, content in files]
    for examination in examinations:
        session.remember(examination)
    session.arrange([one.key for one in examinations])
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption, *page.error, *page.warning))


def tiles(page: AppTest) -> list[str]:
    return [button.label for button in page.button if str(button.key).startswith("examine_show_")]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], None]:
    """Puts an answer in the place of Triton's; nobody evaluated the release."""
    monkeypatch.setattr(triton_api, "operating_point", lambda _: POINT)
    monkeypatch.setattr(evaluation_api, "evaluation", lambda _: None)

    def serve(screen: Answers) -> None:
        monkeypatch.setattr(triton_api, "screen", screen)

    serve(lambda _: screened("covid19"))
    return serve


def test_the_empty_page_says_what_to_do_and_what_it_is_not() -> None:
    page = AppTest.from_file(APP).run()
    assert not page.exception
    assert page.title[0].value == "Examine chest radiographs"
    assert "No picture yet" in page.info[0].value
    assert any(NOTICE in caption.value for caption in page.caption)


def test_a_server_that_does_not_answer_leaves_a_plain_sentence_and_the_page() -> None:
    page = AppTest.from_file(APP).run()
    page.button(key="examine_example_no_finding").click().run()
    assert not page.exception
    assert page.error[0].value.startswith("The service does not answer, so this picture was not examined.")
    assert any("Triton at 127.0.0.1" in caption.value for caption in page.caption), "for the operator"
    page.button(key="examine_forget").click().run()
    assert "No picture yet" in page.info[0].value


@pytest.mark.usefixtures("served")
def test_an_answer_comes_with_notice_release_and_thumbnail() -> None:
    drawn = send(page(), ("a film.png", FILM))
    assert "Worth a look: the picture resembles those with **COVID-19** (80 %)." in said(drawn)
    assert "Answered by release 7." in said(drawn)
    assert "Release 7 was not evaluated." in said(drawn)
    assert sum(NOTICE in caption.value for caption in drawn.caption) == 2
    assert tiles(drawn) == [r"a film\.png"]


@pytest.mark.usefixtures("served")
def test_it_speaks_portuguese() -> None:
    drawn = send(page("pt"), ("filme.png", FILM))
    assert "Vale a pena olhar: a imagem se parece com as de **COVID-19** (80 %)." in said(drawn)


@pytest.mark.usefixtures("served")
def test_the_first_of_a_batch_is_shown_and_the_others_are_a_step_or_a_click_away() -> None:
    drawn = send(page(), *((f"{name}.png", FILM) for name in "abc"))
    assert "Picture 1 of 3" in said(drawn)
    drawn.button(key="examine_step_N").click().run()
    assert "Picture 2 of 3" in said(drawn)
    assert "#### b\\.png" in said(drawn)
    last = next(button for button in drawn.button if button.label == r"c\.png")
    last.click().run()
    assert "Picture 3 of 3" in said(drawn)
    assert drawn.button(key="examine_step_N").disabled


@pytest.mark.usefixtures("served")
def test_the_oldest_are_forgotten_by_number_and_by_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_HISTORY", 3)
    drawn = send(page(), *((f"{n}.png", FILM) for n in range(5)))
    assert tiles(drawn) == [r"2\.png", r"3\.png", r"4\.png"]
    monkeypatch.setattr(reader, "MAX_HISTORY_BYTES", 1)
    assert tiles(send(drawn, ("last.png", FILM))) == [r"last\.png"]


def test_a_file_that_is_refused_is_said_and_costs_no_other(served: Callable[[Answers], None]) -> None:
    def screen(image: bytes) -> Screening:
        if image == FILM:
            return screened("no_finding")
        raise RadiographRefusedError("no picture")

    served(screen)
    drawn = send(page(), ("good.png", FILM), ("words.txt", b"only words " * 20), ("also good.png", FILM))
    assert len(tiles(drawn)) == 3
    drawn.button(key="examine_step_N").click().run()
    assert "This kind of file cannot be read." in drawn.error[0].value
    drawn.button(key="examine_step_N").click().run()
    assert "Nothing to report" in said(drawn)


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>.png", "**bold** [link](http://a.b) :material/home: $x$.png", "x" * 304],
)
@pytest.mark.usefixtures("served")
def test_nothing_in_a_name_is_acted_on(name: str) -> None:
    heading = next(one for one in said(send(page(), (name, FILM))).splitlines() if one.startswith("#### "))
    shown = heading.removeprefix("#### ")
    assert re.sub(r"\\(.)", r"\1", shown) == name
    assert not re.search(r"(?<!\\)[<>*\[\]:$_`]", shown)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_picture_and_always_the_same(name: str) -> None:
    assert decode_radiograph(example(name)).shape == (1, 256, 256)
    example.cache_clear()
    first = example(name)
    example.cache_clear()
    assert example(name) == first


def test_pictures_that_were_answered_in_another_order_stand_in_the_order_of_files() -> None:
    session = Reader()
    examinations = [examined("covid19", file) for file in ("old.png", "b.png", "a.png")]
    keys = ["old", "b", "a"]
    for key, examination in zip(keys, examinations, strict=True):
        session.remember(replace(examination, key=key))
    session.arrange(["a", "b"])
    assert [one.key for one in session.examinations] == ["old", "a", "b"]
    assert session.shown(session.examinations).key == "a"


def test_what_is_examined_at_a_time_fits_into_what_is_remembered() -> None:
    assert reader.MAX_HISTORY >= MAX_FILES
