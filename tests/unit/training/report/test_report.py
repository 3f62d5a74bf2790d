"""The report: complete, self-contained, and the same numbers in HTML and JSON."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.predictions import synthetic_predictions
from training import tracking
from training.explain.examples import ExampleOverlay
from training.explain.pictures import as_png
from training.report.contents import Report, build_report
from training.report.model_card import NOT_FOR, model_card
from training.report.render import render_html

TAGS = {
    tracking.MODEL_TAG: "xray_classifier",
    tracking.RECIPE_TAG: "icapuc <b>",
    tracking.DATA_DIGEST_TAG: "ab" * 32,
    "hilum.temperature": "1.3",
}
PARAMETERS = {"n_train.covid19": "7", "n_train.no_finding": "9", "n_val.covid19": "2", "seed": "0"}


class Outline(HTMLParser):
    """Headings, pictures and links of a page; fails on tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.alternatives: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        for name in ("src", "href"):
            if name in values:
                self.sources.append(values[name] or "")
        if tag == "img":
            self.alternatives.append(values.get("alt") or "")
        elif tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report() -> Report:
    predictions = synthetic_predictions()
    picture = as_png(Image.fromarray(np.zeros((8, 8), np.uint8)))
    example = ExampleOverlay("images/1.png", "covid19", "covid19", 0.9, "cam", picture, float("nan"))
    embeddings = np.random.default_rng(0).normal(size=(len(predictions.truth), 8))
    card = model_card("run-1", TAGS, PARAMETERS)
    return build_report(card, "test", predictions, embeddings=embeddings, examples=[example], n_bootstrap=100)


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return render_html(report)


def test_the_page_needs_nothing_beside_it(html: str) -> None:
    outline = Outline()
    outline.feed(html)
    assert outline.open == []
    assert outline.sources, "no picture"
    assert all(source.startswith("data:image/png;base64,") for source in outline.sources)
    assert all(outline.alternatives), "a picture without a description"
    assert not re.search(r"url\(|@import|<script", html)


def test_the_first_screen_has_notice_alarms_and_the_headline(html: str, report: Report) -> None:
    first = html[html.index("<body>") : html.index("<h2>")]
    assert "not a medical device" in first
    assert str(report.evaluation.headline) in first
    for sentence in report.alarms:
        assert sentence.split("(")[0].replace("'", "&#39;") in first


def test_a_confounded_source_is_an_alarm() -> None:
    predictions = synthetic_predictions()
    truth = np.array(predictions.labels)[predictions.truth]
    torn = dataclasses.replace(predictions, frame=predictions.frame.assign(source=truth))
    report = build_report(model_card("run-1", TAGS, {}), "test", torn, n_bootstrap=100)
    assert any("source nearly gives the class away" in sentence for sentence in report.alarms)


def test_the_card_says_what_the_network_is_not_for(html: str) -> None:
    for line in NOT_FOR:
        assert line.replace("'", "&#39;") in html


def test_what_stood_in_tags_is_text_not_markup(html: str) -> None:
    assert "icapuc &lt;b&gt;" in html


def test_json_holds_the_same_numbers(html: str, report: Report) -> None:
    record = json.loads(json.dumps(report.as_dict()))
    assert record["model_card"]["trained_on"] == {
        "train": {"covid19": 7, "no_finding": 9},
        "val": {"covid19": 2},
    }
    sensitivity = record["evaluation"]["whole"]["per_class"]["covid19"]["sensitivity"]
    assert f"{sensitivity['value']:.3f} ({sensitivity['lower']:.3f}-{sensitivity['upper']:.3f})" in html
    assert len(record["thresholds"]["covid19"]) == 19
    assert record["examples"][0]["path"] == "images/1.png"
    assert "png" not in record["examples"][0]


def test_thresholds_count_what_numpy_counts(report: Report) -> None:
    predictions = report.predictions
    scores, positive = predictions.probabilities[:, 2], predictions.truth == 2
    for row in report.thresholds["covid19"]:
        assert row.reported == (scores >= row.threshold).sum()
        assert row.sensitivity.value == pytest.approx((scores[positive] >= row.threshold).mean())


def test_a_filter_has_a_report_too(tmp_path: Path) -> None:
    predictions = synthetic_predictions(("non_valid", "valid"))
    tags = TAGS | {tracking.MODEL_TAG: "xray_filter", "hilum.threshold": "0.5"}
    report = build_report(model_card("run-2", tags, {}), "val", predictions, n_bootstrap=100)
    page = render_html(report)
    assert '<p class="big">AUROC' in page
    assert "xray_filter" in page
    (tmp_path / "report.html").write_text(page)
