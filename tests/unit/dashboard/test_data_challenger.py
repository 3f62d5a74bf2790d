"""The challenger beside the champion: shares of live traffic, and what the records of paired answers say."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import queries
from hilum.paired_answers import Pair
from hilum.settings import settings
from tests.support.paired_answers import pair
from tests.support.prometheus_api import PrometheusApi


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HILUM_SHADOW_RECORDS", str(tmp_path))
    settings.cache_clear()
    return tmp_path


def write(folder: Path, pairs: Iterable[Pair], name: str = "ward/pairs.jsonl") -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"".join(one.to_line() for one in pairs))


def page(language: str = "en") -> AppTest:
    drawn = AppTest.from_string("from dashboard.data import challenger\nchallenger.draw()")
    drawn.query_params["lang"] = language
    drawn.run(timeout=30)
    assert not drawn.exception
    return drawn


def said(drawn: AppTest) -> str:
    kinds = (drawn.markdown, drawn.info, drawn.warning, drawn.caption)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_the_challenger_stands_beside_the_champion(prometheus: PrometheusApi) -> None:
    prometheus.answers = {
        queries.CHAMPION_FINDINGS.expression: [
            ({"release": "3", "finding": "no_finding"}, 75.0),
            ({"release": "3", "finding": "covid19"}, 25.2),
        ],
        queries.CHALLENGER_FINDINGS.expression: [
            ({"release": "4", "finding": "covid19"}, 10.0),
            ({"release": "4", "finding": "lung_opacity"}, float("nan")),
        ],
    }
    text = said(page())
    assert "release 3, as champion: no finding 75%, lung opacity 0%, COVID-19 25%, of 100 images." in text
    assert "release 4, as challenger: no finding 0%, lung opacity 0%, COVID-19 100%, of 10 images." in text


@pytest.mark.usefixtures("prometheus")
def test_without_a_folder_it_says_how_records_are_made() -> None:
    text = said(page())
    assert "No challenger answered a mirrored image" in text
    assert "HILUM_SHADOW_RECORDS names their folder" in text


def test_a_prometheus_that_does_not_answer_leaves_the_records(records: Path) -> None:
    write(records, [pair(image, "covid19", "covid19") for image in range(5)])
    text = said(page())
    assert "Prometheus at" in text
    assert "the same answer to 100.0% of 5 images" in text


@pytest.mark.usefixtures("prometheus")
def test_no_record_yet_is_not_agreement(records: Path) -> None:
    write(records, [])
    text = said(page())
    assert "The folder holds no record yet" in text
    assert "the same answer" not in text


@pytest.mark.usefixtures("prometheus")
def test_a_challenger_that_never_answered_is_said(records: Path) -> None:
    write(records, [pair(image, "covid19", None) for image in range(3)])
    assert "The challenger answered none of 3 mirrored images." in said(page())


@pytest.mark.usefixtures("prometheus")
def test_few_disagreements_are_too_early_to_say(records: Path) -> None:
    write(records, [pair(image, "covid19", "no_finding" if image < 4 else "covid19") for image in range(50)])
    drawn = page()
    assert "After 50 images it is too early to say: at most 4 of them" in said(drawn)
    table = drawn.dataframe[0].value.set_index("answer")
    assert table.loc["COVID-19", "champion only"] == 4
    assert table.loc["COVID-19", "both"] == 46
    assert set(table["more than chance"]) == {"not shown"}


@pytest.mark.usefixtures("prometheus")
def test_many_disagreements_on_one_side_are_no_chance(records: Path) -> None:
    write(records, [pair(i, "covid19", "rejected" if i < 40 else "covid19") for i in range(200)])
    drawn = page()
    assert "the two do not say “COVID-19”, “rejected” equally often, and that is not chance" in said(drawn)
    table = drawn.dataframe[0].value.set_index("answer")
    assert table.loc["COVID-19", "more than chance"] == "yes"
    assert str(table.loc["COVID-19", "difference, % of images"]).startswith("-20.0 (")
    assert table.loc["lung opacity", "more than chance"] == "not shown"


@pytest.mark.usefixtures("prometheus")
def test_disagreements_on_both_sides_show_nothing(records: Path) -> None:
    swapped = ("covid19", "no_finding")
    write(records, [pair(i, swapped[i % 2], swapped[(i + 1) % 2]) for i in range(40)])
    assert "After 40 images nothing shows that one release reports a finding" in said(page("en"))


@pytest.mark.usefixtures("prometheus")
def test_torn_lines_are_counted_and_the_newest_challenger_comes_first(records: Path) -> None:
    write(records, [pair(image, "covid19", "covid19") for image in range(5)])
    late = [pair(i, "covid19", "covid19", releases=(2, 3), minute=1e5 + i) for i in range(6)]
    write(records, late, "ward/later.jsonl")
    with (records / "ward" / "pairs.jsonl").open("ab") as stream:
        stream.write(b'{"format": 1, "at": "20')
    drawn = page()
    assert "1 lines are no records and were left out." in said(drawn)
    assert "Release 3 beside release 2" in said(drawn)
    drawn.selectbox(key="data_challenge").select_index(1).run(timeout=30)
    assert not drawn.exception
    assert "Release 2 beside release 1" in said(drawn)


@pytest.mark.usefixtures("prometheus")
def test_a_folder_that_is_not_there_is_a_sentence(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_SHADOW_RECORDS", str(records / "gone"))
    settings.cache_clear()
    assert any("gone gave an answer that cannot be read" in warning.value for warning in page().warning)


@pytest.mark.usefixtures("prometheus")
def test_it_speaks_portuguese(records: Path) -> None:
    write(records, [pair(image, "covid19", "rejected") for image in range(3)])
    text = said(page("pt"))
    assert "ainda é cedo para dizer" in text
    assert "a mesma resposta em 0.0% de 3 imagens" in text
