"""Releases: the verdict with its evidence, the change as a diff, the timeline, and who may decide."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import access
from dashboard.errors import OutdatedPageError, SourceLyingError, SourceUnreachableError
from dashboard.sources import registry_api, releases_api
from dashboard.sources.releases_api import Change
from hilum.errors import ServiceUnreachableError
from hilum.settings import settings
from tests.support.ledgers import sqlite_url
from tests.support.verdicts import toy_verdict
from training.errors import ConcurrentChangeError, PromotionError
from training.ledger.ledger import Ledger
from training.promote.difference import Change as Pinned
from training.promote.difference import Difference, GoldenChange
from training.promote.evidence import Evidence
from training.promote.plan import NetworkChange, RoleChange
from training.promote.promotion import Promotion
from training.promote.release import ReleaseSummary
from training.promote.verdict import Check

KEY = "a key that only tests know"

CHECKS = (
    Check(
        name="covid19 sensitivity, floor",
        outcome="passed",
        sentence="The sensitivity of covid19 is 0.859.",
        numbers={"value": 0.859, "lower": 0.778, "upper": 0.914, "floor": 0.7, "n": 71},
    ),
    Check(
        name="covid19 AUROC, no worse than release 1",
        outcome="cannot_tell",
        sentence="Cannot tell whether it is within the margin. About 40 more cases would settle it.",
        numbers={
            "difference": -0.02, "lower": -0.06, "upper": 0.01, "margin": 0.03, "n": 198, "further_cases": 40,
        },
    ),
    Check(name="golden cases", outcome="passed", sentence="All are answered as promised."),
)  # fmt: skip

CHANGE = Change(
    roles=(
        RoleChange(role="champion", before=1, after=2, thresholds={}),
        RoleChange(role="challenger", before=2, after=None, thresholds={}),
    ),
    networks=(
        NetworkChange(action="load", model="xray_classifier", version=2, sha256="b8" * 32),
        NetworkChange(action="drop", model="xray_classifier", version=1, sha256=None),
        NetworkChange(action="load", model="xray_filter", version=4, sha256="cd" * 32),
    ),
    difference=Difference(
        first=1,
        second=2,
        changes=(
            Pinned(what="classifier SHA-256", before="e3" * 32, after="b8" * 32),
            Pinned(what="threshold of covid19", before=0.3, after=0.35000001),
        ),
        golden_changes=(
            GoldenChange(image="ab" * 32, before="covid19", after="rejected", largest_difference=0.4),
        ),
    ),
)


@dataclass
class Site:
    """What the sources say; change it before a page is drawn."""

    aliases: dict[str, int] = field(default_factory=lambda: {"champion": 1, "challenger": 2, "previous": 3})
    checks: tuple[Check, ...] | None = CHECKS
    refusal: str | None = None
    decided: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Decisions that were carried out, each as its name and arguments."""
    refuse: Exception | None = None
    """What a decision meets."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site()

    def verdict(number: int) -> object:
        if site.checks is None:
            return None
        return toy_verdict(number, "00" * 32, against=1, checks=site.checks, policy="strict")

    def decide(name: str) -> Callable[..., Promotion]:
        def carry_out(number: int, **arguments: Any) -> Promotion:
            if site.refuse:
                raise site.refuse
            site.decided.append((name, {"number": number, **arguments}))
            return Promotion(role="champion", release=number, previous=1, changed=True)

        return carry_out

    summaries = tuple(
        ReleaseSummary(
            number=number, aliases=(), filter_version=1, classifier_version=number, digest="00" * 32,
            verdict="passed", created_ms=1_772_366_400_000,
        )
        for number in (2, 1)
    )  # fmt: skip
    monkeypatch.setattr(registry_api, "promised", lambda: registry_api.Promised(aliases=site.aliases, at=0.0))
    monkeypatch.setattr(releases_api, "releases", lambda: summaries)
    monkeypatch.setattr(releases_api, "verdict", verdict)
    monkeypatch.setattr(releases_api, "change", lambda *_, **__: CHANGE)
    monkeypatch.setattr(
        releases_api,
        "evidence",
        lambda *_, **__: Evidence(run_id="run", approvers=("bruno",), refusal=site.refusal),
    )
    monkeypatch.setattr(releases_api, "promote", decide("promote"))
    monkeypatch.setattr(releases_api, "roll_back", decide("roll_back"))
    return site


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ledger]:
    monkeypatch.setenv("HILUM_LEDGER_URL", sqlite_url(tmp_path))
    settings.cache_clear()
    with Ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_DASHBOARD_KEY", KEY)
    settings.cache_clear()


def page(language: str = "en", *, who: str | None = None) -> AppTest:
    drawn = AppTest.from_string("from dashboard.releases import page\npage.draw()", default_timeout=30)
    drawn.query_params["lang"] = language
    if who:
        drawn.session_state["access_who"] = who
    drawn.run()
    assert not drawn.exception
    return drawn


def text(drawn: AppTest) -> str:
    boxes = [*drawn.markdown, *drawn.caption, *drawn.success, *drawn.warning, *drawn.error, *drawn.info]
    return "\n".join(box.value for box in boxes)


def table_with(drawn: AppTest, column: str) -> pd.DataFrame:
    """Return the first table that has a column."""
    return next(each.value for each in drawn.dataframe if column in each.value.columns)


def button(drawn: AppTest, key: str) -> Any:
    return drawn.button(key=key)


@pytest.mark.usefixtures("site", "ledger")
def test_the_verdict_stands_with_its_numbers_and_what_it_cannot_tell() -> None:
    drawn = page()
    said = text(drawn)
    assert "passed: 2 · failed: 0 · cannot tell: 1 · not asked: 0" in said
    assert "About 40 more cases would settle it." in said
    assert "policy “strict”" in said
    rows = table_with(drawn, "check").set_index("check")
    floor, beside = (rows.loc[check.name].to_dict() for check in CHECKS[:2])
    assert (floor["lower bound"], floor["upper bound"], floor["demanded"]) == (0.778, 0.914, 0.7)
    assert (beside["seen"], beside["demanded"], beside["further cases needed"]) == (-0.02, -0.03, 40)
    specs = [each.proto.spec for each in drawn.get("plotly_chart")]
    assert any("share of the cases" in spec for spec in specs)
    assert any("difference to release 1" in spec for spec in specs)
    assert len(drawn.get("download_button")) == 1


@pytest.mark.usefixtures("ledger")
def test_a_release_that_was_not_judged_says_so(site: Site) -> None:
    site.checks = None
    assert "The gate was not asked about this release." in text(page())


@pytest.mark.usefixtures("site", "ledger")
def test_the_change_reads_as_a_diff() -> None:
    said = text(page())
    for line in (
        "Champion: **release 1 → release 2**",
        "Challenger: release 2 goes",
        "swap `xray_classifier` version 1 → 2 (b8b8b8b8b8b8…)",
        "load `xray_filter` version 4 (cdcdcdcdcdcd…)",
        "classifier, SHA-256: `e3e3e3e3e3e3…` → `b8b8b8b8b8b8…`",
        "threshold of COVID-19: `0.3` → `0.35`",
        "1 of the golden cases are answered differently, 1 with another decision.",
    ):
        assert line in said, line


@pytest.mark.usefixtures("site")
def test_the_ledger_is_told_as_a_table_and_a_timeline(ledger: Ledger) -> None:
    facts = {"alias": "champion", "release": 1, "before": None, "basis": 0, "forced": True}
    ledger.append("alias_moved", who="Ada", why="the <b>first</b>", facts=facts)
    drawn = page()
    history = table_with(drawn, "who")
    assert history.iloc[0][["who", "what", "why"]].tolist() == [
        "Ada", "Champion: release 1 (past the gate)", "the <b>first</b>",
    ]  # fmt: skip
    assert any("Ada" in each.proto.spec for each in drawn.get("plotly_chart"))


@pytest.mark.usefixtures("site", "ledger")
def test_an_empty_ledger_is_no_error() -> None:
    drawn = page()
    assert "The ledger is empty." in text(drawn)
    assert not drawn.warning


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("sqlite:////proc/nowhere/ledger.db", "The ledger at HILUM_LEDGER_URL gave an answer"),
        ("mysql://root:secret@db/ledger", "The ledger at HILUM_LEDGER_URL gave an answer"),
    ],
)
def test_a_ledger_that_cannot_be_read_leaves_the_verdict(
    monkeypatch: pytest.MonkeyPatch, address: str, sentence: str
) -> None:
    monkeypatch.setenv("HILUM_LEDGER_URL", address)
    settings.cache_clear()
    drawn = page()
    assert sentence in text(drawn)
    assert "secret" not in text(drawn)
    assert "covid19 sensitivity, floor" in text(drawn)


def test_a_postgresql_that_is_down_is_a_sentence_in_the_readers_language(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    assert site.aliases
    monkeypatch.setenv("HILUM_LEDGER_URL", "postgresql://hilum:secret@127.0.0.1:1/ledger")
    settings.cache_clear()
    assert "O livro de registro em HILUM_LEDGER_URL não responde" in text(page("pt"))


@pytest.mark.parametrize(
    "error",
    [
        SourceUnreachableError("MLflow", "http://there", "ReadTimeout"),
        SourceLyingError("MLflow", "http://there", "the verdict was changed"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_a_part_whose_source_fails_leaves_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    assert site.aliases
    monkeypatch.setattr(releases_api, "verdict", fail)
    monkeypatch.setattr(releases_api, "evidence", fail)
    drawn = page()
    assert [str(error), str(error)] == [box.value for box in drawn.warning]
    assert "Champion: **release 1 → release 2**" in text(drawn)
    assert "The ledger is empty." in text(drawn)


@pytest.mark.usefixtures("ledger")
def test_an_mlflow_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(address: str) -> None:
        asked.append(address)
        raise ServiceUnreachableError("MLflow", address, "Start it.")

    monkeypatch.setattr("training.registry.connect", refuse)
    drawn = page()
    assert len([box for box in drawn.warning if "MLflow at " in box.value]) == 2
    assert len(asked) == 1


@pytest.mark.usefixtures("site", "ledger")
def test_deciding_is_off_without_a_key_or_a_login() -> None:
    drawn = page()
    assert "Deciding on this page is off." in text(drawn)
    assert button(drawn, "releases_promote").disabled
    assert button(drawn, "releases_roll_back").disabled


@pytest.mark.usefixtures("site", "ledger", "_key")
def test_a_wrong_key_opens_nothing_and_a_right_one_is_not_kept(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    waited: list[float] = []
    monkeypatch.setattr(access, "time", SimpleNamespace(sleep=waited.append))
    drawn = page()
    assert button(drawn, "releases_promote").disabled
    sign_in(drawn, "Eve", "a key that was guessed")
    assert drawn.error[0].value == "This is not the key."
    assert waited == [access.WRONG_KEY_DELAY_S]
    assert button(drawn, "releases_promote").disabled
    sign_in(drawn, "Grace", KEY)
    assert "Signed in as Grace." in text(drawn)
    assert not button(drawn, "releases_promote").disabled
    assert "access_key" not in drawn.session_state
    assert KEY not in caplog.text
    assert KEY not in str(drawn.query_params)
    drawn.button(key="access_sign_out").click().run()
    assert button(drawn, "releases_promote").disabled


def sign_in(drawn: AppTest, name: str, key: str) -> None:
    drawn.text_input(key="access_name").input(name)
    drawn.text_input(key="access_key").input(key)
    drawn.button[0].click().run()


@pytest.mark.usefixtures("ledger", "_key")
def test_the_champion_cannot_be_promoted_and_without_one_before_there_is_no_way_back(site: Site) -> None:
    site.aliases = {"champion": 2}
    drawn = page(who="Grace")
    assert "This release is the champion." in text(drawn)
    assert button(drawn, "releases_promote").disabled
    assert button(drawn, "releases_roll_back").disabled


def dialog(call: str, *, who: str | None = "Grace") -> AppTest:
    """Return an open dialog: a run of a whole page would close it."""
    drawn = AppTest.from_string(
        f"from dashboard.releases import decision\ndecision.{call}", default_timeout=30
    )
    if who:
        drawn.session_state["access_who"] = who
    drawn.run()
    assert not drawn.exception
    return drawn


def confirm(drawn: AppTest, reason: str = "better on portable films") -> AppTest:
    drawn.text_input(key="releases_reason").input(reason)
    drawn.button(key="releases_confirm").click().run()
    assert not drawn.exception
    return drawn


PROMOTE, ROLL_BACK = "_confirm_promotion(2, 1)", "_confirm_rollback(3, 1)"


@pytest.mark.parametrize(
    ("call", "decided"),
    [
        (PROMOTE, ("promote", {"number": 2, "force": False})),
        (ROLL_BACK, ("roll_back", {"number": 3})),
    ],
)
def test_a_decision_has_a_name_a_reason_and_the_champion_that_was_seen(
    site: Site, call: str, decided: tuple[str, dict[str, Any]]
) -> None:
    drawn = confirm(dialog(call), " better on portable films ")
    name, arguments = decided
    assert site.decided == [
        (name, arguments | {"seen": 1, "who": "Grace", "reason": "better on portable films"})
    ]
    assert "is the champion" in drawn.session_state["releases_told"]


@pytest.mark.parametrize("call", [PROMOTE, ROLL_BACK])
def test_nothing_is_decided_without_a_reason_or_by_nobody(site: Site, call: str) -> None:
    assert confirm(dialog(call), "  ").error[0].value == "A decision needs a reason."
    assert confirm(dialog(call, who=None)).error[0].value == "Sign in first."
    assert site.decided == []


def test_a_release_that_did_not_pass_is_promoted_by_force_only(site: Site) -> None:
    site.refusal = "The gate failed release 2 against release 1: covid19 sensitivity."
    drawn = dialog(PROMOTE)
    assert site.refusal in [box.value for box in drawn.warning]
    confirm(drawn)
    assert site.decided[-1][1]["force"] is False  # which `promote_release` refuses
    drawn = dialog(PROMOTE)
    drawn.checkbox(key="releases_force").check()
    confirm(drawn)
    assert site.decided[-1][1]["force"] is True


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (PromotionError("Release 2 was not promoted."), "Release 2 was not promoted."),
        (ConcurrentChangeError("alias_moved", 3, 4, "Ada"), "Ada"),
        (OutdatedPageError(seen=1, now=5), "The champion is release 5 now and was release 1"),
        (SourceUnreachableError("MLflow", "http://there", "ReadTimeout"), "does not answer"),
    ],
)
def test_who_comes_second_or_is_refused_is_told_why(site: Site, refusal: Exception, sentence: str) -> None:
    site.refuse = refusal
    drawn = confirm(dialog(PROMOTE))
    assert sentence in drawn.error[0].value
    assert site.decided == []
    assert "releases_told" not in drawn.session_state


class _Registry:
    """Says which release is champion."""

    def aliases(self, _: str) -> dict[str, int]:
        return {"champion": 5}


@pytest.mark.parametrize(
    "decide",
    [
        lambda: releases_api.promote(2, seen=1, who="Grace", reason="better"),
        lambda: releases_api.roll_back(3, seen=1, who="Grace", reason="worse"),
    ],
)
def test_a_decision_on_another_champion_than_the_one_seen_is_not_taken(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, decide: Callable[[], object]
) -> None:
    monkeypatch.setattr(releases_api, "connected", _Registry)
    with pytest.raises(OutdatedPageError, match="release 5 now and was release 1"):
        decide()
    assert list(ledger.entries()) == []


@pytest.mark.usefixtures("site", "ledger")
def test_it_speaks_portuguese() -> None:
    said = text(page("pt"))
    assert "Campeã: **versão 1 → versão 2**" in said
    assert "classificador, SHA-256" in said
    assert "As frases do portão estão como foram registradas, em inglês." in said
