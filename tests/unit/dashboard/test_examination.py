"""What an examination says, and the files of it to keep."""

import csv
import io
import re

import pytest

from clients.errors import (
    ClientError,
    DeadlineExceededError,
    ModelNotReadyError,
    OverloadedError,
    ServerFailureError,
    ServerUnreachableError,
)
from dashboard.errors import SourceError, SourceLyingError, SourceUnreachableError
from dashboard.examine.examination import REFUSALS, Examination, as_csv
from dashboard.examine.report_page import as_html
from hilum.contract import NOTICE
from hilum.errors import ServiceUnreachableError
from hilum.radiograph import REASONS
from tests.support.examinations import examined

ADDRESS = "127.0.0.1:8001"


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


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (DeadlineExceededError(ADDRESS, 20), "took too long"),
        (OverloadedError(ADDRESS, "queue full"), "too much to do"),
        (ModelNotReadyError(ADDRESS, "xray_screening", "none"), "no release answers yet"),
        (ServerUnreachableError(ADDRESS, "refused"), "does not answer"),
        (ServerFailureError(ADDRESS, "no output"), "cannot be true"),
    ],
)
def test_a_fault_of_the_server_is_a_sentence_without_addresses(
    cause: ClientError | ServiceUnreachableError, words: str
) -> None:
    kind: type[SourceUnreachableError | SourceLyingError] = (
        SourceUnreachableError if isinstance(cause, ServiceUnreachableError) else SourceLyingError
    )
    try:
        raise kind("Triton", ADDRESS, "a reason") from cause
    except SourceError as error:
        examination = Examination(key="1", file="film.png", error=error)
    assert words in examination.words
    assert ADDRESS not in examination.words


def test_the_table_is_that_of_the_command_and_no_formula_gets_in() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([examined("covid19", "=cmd()"), examined(None)]).decode())))
    assert rows[0]["file"] == "'=cmd()"
    assert rows[0]["finding"] == "covid19"
    assert rows[1]["probability_covid19"] == ""


def test_the_report_is_whole_by_itself_and_runs_no_script() -> None:
    page = as_html(
        [examined("lung_opacity", "<script>alert(1)</script>.png"), examined(None)],
        ["Release 7 was not evaluated."],
    ).decode()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "lung opacity" in page
    assert "Release 7 was not evaluated." in page
    assert NOTICE in page
    assert "<script>" not in page
    assert "default-src 'none'" in page, "whatever it said, a browser would fetch nothing"
    sources = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)|url\(([^)]*)\)|@import""", page)
    assert [source[0][:10] for source in sources] == ["data:image"] * 2
    assert "http://" not in page
    assert "https://" not in page
