from datetime import UTC, datetime
from html.parser import HTMLParser

from typing_extensions import override

from training.promote.gate.page import DRAWN_PX, render_page
from training.promote.verdict import Check, Verdict

CHECKS = (
    Check(
        name="covid19 sensitivity, floor",
        outcome="passed",
        sentence="It is <0.9> & more.",
        numbers={"value": 0.9, "lower": 0.8, "upper": 1.0, "floor": 0.7},
    ),
    Check(
        name="covid19 sensitivity, no worse than release 1",
        outcome="failed",
        sentence="Worse.",
        numbers={"difference": -0.2, "lower": -0.3, "upper": -0.1, "margin": 0.05},
    ),
    Check(name="latency", outcome="skipped", sentence="Not compared."),
)
VERDICT = Verdict(
    release=2,
    digest="ab" * 32,
    against=1,
    policy="strict<>",
    policy_settings={"latency": {"ratio": 1.25}},
    approvals=2,
    outcome="failed",
    checks=CHECKS,
    judged_at=datetime(2026, 1, 2, tzinfo=UTC),
    judged_by="ada",
    data="cxr",
    data_digest="cd" * 32,
    n_images=300,
    code_revision="abc",
)

VOID = {"meta"}


class Page(HTMLParser):
    """Collects the text, the attributes, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_says_all_that_the_verdict_says() -> None:
    page = Page(render_page(VERDICT))
    text = "".join(page.text)
    assert page.open == []
    for said in (VERDICT.sentence, "It is <0.9> & more.", "strict<>", '"ratio": 1.25', VERDICT.digest, "ada"):
        assert said in text
    assert "2 persons must approve it" in text
    assert "not a medical device" in text


def test_the_page_needs_nothing_beside_it() -> None:
    fetched = [
        value for _, name, value in Page(render_page(VERDICT)).attributes if name in ("src", "href", "srcset")
    ]
    assert fetched == []


def test_intervals_are_drawn_inside_the_picture_and_in_order() -> None:
    lines = [
        (name, float(value or "nan"))
        for tag, name, value in Page(render_page(VERDICT)).attributes
        if (tag, name) in {("line", "x1"), ("line", "x2"), ("circle", "cx")}
    ]
    places = [value for _, value in lines]
    assert len(places) == 10  # of two checks each: what is demanded twice, both bounds, the value
    assert all(0 < value < DRAWN_PX for value in places)
    demanded, _, lower, upper, value = places[:5]
    assert demanded < lower < value < upper, "a floor that is passed lies to the left of the bar"
    demanded, _, lower, upper, value = places[5:]
    assert lower < value < upper < demanded, "a margin that is missed lies to its right"
