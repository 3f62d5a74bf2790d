"""The page for a radiologist, without a server, and what it says about an answer."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from clients.results import Screening
from dashboard.examination import REFUSALS, Examination, as_csv, examine
from dashboard.examples import EXAMPLES, example
from dashboard.report_page import as_html
from hilum.contract import LABELS, NOTICE
from hilum.operating_point import OperatingPoint
from hilum.radiograph import REASONS, decode_radiograph

APP = str(Path(dashboard.__file__).with_name("app.py"))

POINT = OperatingPoint({"lung_opacity": 0.4, "covid19": 0.3})


def examined(finding: str | None, file: str = "film.png") -> Examination:
    probabilities = {label: 0.8 if label == finding else 0.1 for label in LABELS}
    return Examination(
        key="1",
        file=file,
        radiograph=np.zeros((256, 256), np.uint8),
        screening=Screening(
            release=7,
            accepted=finding is not None,
            valid_probability=0.95 if finding else 0.02,
            probabilities=probabilities if finding else None,
            finding=finding,
            activation_map=np.ones((3, 7, 7), np.float32) if finding else None,
        ),
        operating_point=POINT,
    )


def test_the_empty_page_says_what_to_do_and_what_it_is_not() -> None:
    page = AppTest.from_file(APP).run()
    assert not page.exception
    assert page.title[0].value == "Examine chest radiographs"
    assert "No picture yet" in page.info[0].value
    assert any(NOTICE in caption.value for caption in page.caption)


def test_a_server_that_does_not_answer_leaves_a_sentence_and_the_page() -> None:
    page = AppTest.from_file(APP).run()
    page.button(key="examine_example_no_finding").click().run()
    assert not page.exception
    assert "Triton at 127.0.0.1" in page.error[0].value
    assert "does not answer" in page.error[0].value
    page.button(key="examine_forget").click().run()
    assert "No picture yet" in page.info[0].value


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("no_finding", "Nothing to report: no finding is strong enough (80 % for “no finding”)."),
        ("covid19", "Worth a look: the picture resembles those with **COVID-19** (80 %)."),
        (
            None,
            "This does not look like an upright frontal chest radiograph, so it was not examined further.",
        ),
    ],
)
def test_an_answer_is_a_sentence_without_jargon(finding: str | None, words: str) -> None:
    assert examined(finding).words == words


def test_every_refusal_of_the_decoder_has_words() -> None:
    assert set(REASONS) - set(REFUSALS) == {"undecodable"}  # the base class, which is never raised itself


def test_a_file_that_cannot_be_sent_is_refused_in_plain_words() -> None:
    assert examine("big.png", b"x" * (64 * 2**20 + 1)).words == REFUSALS["too_many_bytes"]


def test_the_table_is_that_of_the_command_and_no_formula_gets_in() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([examined("covid19", "=cmd()"), examined(None)]).decode())))
    assert rows[0]["file"] == "'=cmd()"
    assert rows[0]["finding"] == "covid19"
    assert rows[1]["probability_covid19"] == ""


def test_the_report_holds_the_answer_the_picture_and_the_notice_and_runs_no_script() -> None:
    page = as_html([examined("lung_opacity", "<script>alert(1)</script>.png"), examined(None)]).decode()
    assert page.count("data:image/png;base64,") == 2
    assert "lung opacity" in page
    assert NOTICE in page
    assert "<script>" not in page


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_picture_and_always_the_same(name: str) -> None:
    assert decode_radiograph(example(name)).shape == (1, 256, 256)
    example.cache_clear()
    first = example(name)
    example.cache_clear()
    assert example(name) == first
