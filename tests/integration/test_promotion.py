"""Promotion and rollback against a real registry: decided in the ledger, followed by the aliases."""

import json
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import click
import mlflow
import pytest
from click.testing import CliRunner
from typing_extensions import override

from hilum.contract import SCREENING
from hilum.errors import HilumError, UsageError
from hilum.files import sha256_file
from hilum.settings import settings
from tests.support.ledgers import sqlite_url
from tests.support.registries import KilledError, without_aliases
from tests.support.rollout_site import ToyReleases
from tests.support.signed_answers import FIRST, SECOND, THIRD
from tests.support.verdicts import judge, toy_verdict
from training.commands.promotion import promote as promote_command
from training.commands.promotion import rollback as rollback_command
from training.commands.release import release as release_command
from training.errors import ConcurrentChangeError, PromotionError, UnknownVersionError
from training.ledger.entry import Entry, Kind
from training.ledger.ledger import Ledger
from training.promote.aliases import DECISION_TAG
from training.promote.evidence import approve_release
from training.promote.promotion import promote_release, remove_challenger, roll_back
from training.promote.release import DIGEST_TAG
from training.promote.verdict import (
    VERDICT_FILE,
    VERDICT_FOLDER,
    VERDICT_SHA256_TAG,
    store_verdict,
    tag_verdict,
)
from training.registry import Registry


@pytest.fixture
def releases(toy_releases: ToyReleases) -> tuple[int, int, int]:
    """Three releases; no ledger of a test knows of their creation."""
    return toy_releases.number(FIRST), toy_releases.number(SECOND), toy_releases.number(THIRD)


@pytest.fixture
def registry(toy_releases: ToyReleases, releases: Sequence[int]) -> Registry:
    return without_aliases(toy_releases.registry)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


def force(registry: Registry, ledger: Ledger, *numbers: int) -> None:
    """Promote releases one after the other, round the gate."""
    for number in numbers:
        promote_release(registry, ledger, number, who="Ada", reason="test", force=True)


def entries(ledger: Ledger, kind: Kind) -> list[Entry]:
    return [entry for entry in ledger.entries() if entry.kind == kind]


def test_a_release_that_passed_becomes_champion(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, _ = releases
    run_id = judge(registry, ledger, first)
    promotion = promote_release(registry, ledger, first, who="Ada", reason="the first")
    assert (promotion.release, promotion.previous, promotion.changed, promotion.forced) == (
        first,
        None,
        True,
        False,
    )
    judge(registry, ledger, second, against=first)
    promotion = promote_release(registry, ledger, second, who="Grace")
    assert (promotion.release, promotion.previous) == (second, first)
    assert registry.aliases(SCREENING) == {"champion": second, "previous": first}
    one, two = entries(ledger, "alias_moved")
    assert (one.who, one.why, two.who) == ("Ada", "the first", "Grace")
    assert one.facts["verdict_run"] == run_id
    assert one.facts["digest"] == registry.version(SCREENING, first).tag(DIGEST_TAG)
    assert {key: two.facts[key] for key in ("alias", "release", "before", "forced", "overrode")} == {
        "alias": "champion",
        "release": second,
        "before": first,
        "forced": False,
        "overrode": None,
    }
    assert promotion.entry == two.number
    assert registry.model_state(SCREENING).tags[DECISION_TAG] == f"{two.number}:{two.digest}"
    again = promote_release(registry, ledger, second, who="Ada")
    assert (again.previous, again.changed, again.entry) == (first, False, None)
    assert len(entries(ledger, "alias_moved")) == 2


def test_a_verdict_whose_tags_were_never_written_is_in_the_ledger_and_does_not_count(
    registry: Registry, ledger: Ledger, toy_releases: ToyReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KilledError

    number = toy_releases.forge(toy_releases.number(FIRST), embedding_size=12)
    monkeypatch.setattr(Registry, "set_version_tags", killed)
    with pytest.raises(KilledError):
        judge(registry, ledger, number)
    monkeypatch.undo()
    assert [entry.kind for entry in ledger.entries()] == ["judged"]
    with pytest.raises(PromotionError, match=f"hilum release gate {number}"):
        promote_release(registry, ledger, number, who="Ada")
    judge(registry, ledger, number)
    assert promote_release(registry, ledger, number, who="Ada").changed


def test_a_verdict_that_does_not_count_stops_a_promotion(
    registry: Registry, ledger: Ledger, releases: Sequence[int], toy_releases: ToyReleases, tmp_path: Path
) -> None:
    champion, number, _ = releases
    unjudged = toy_releases.forge(number, embedding_size=11)
    force(registry, ledger, champion)

    def refusal(release: int = number) -> str:
        with pytest.raises(PromotionError) as caught:
            promote_release(registry, ledger, release, who="Ada")
        assert registry.aliases(SCREENING) == {"champion": champion}
        return str(caught.value)

    gate = f"hilum release gate {number} --data DIR"
    assert f"No gate has judged release {unjudged}. Judge it: hilum release gate {unjudged}" in refusal(
        unjudged
    )
    judge(registry, ledger, number, outcome="failed", against=champion)
    assert f"The gate failed release {number} against release {champion}: covid19 sensitivity" in refusal()
    judge(registry, ledger, number, outcome="cannot_tell", against=champion)
    assert "The gate cannot tell whether" in refusal()
    judge(registry, ledger, number, against=None)
    assert f"against no champion, and release {champion} is champion now. Judge it again: {gate}" in refusal()
    judge(registry, ledger, number, against=champion, digest="cd" * 32)
    assert f"about another content than the release has. Judge it: {gate}" in refusal()
    digest = registry.version(SCREENING, number).tag(DIGEST_TAG)
    verdict = toy_verdict(number, digest, against=champion)
    run_id = store_verdict(verdict, "<p></p>")
    tag_verdict(registry, verdict, run_id)
    assert f"The ledger at {ledger.where} has no record of the verdict" in refusal()
    forged = tmp_path / VERDICT_FILE
    forged.write_bytes(toy_verdict(number, digest, against=champion, approvals=0, policy="none").to_json())
    mlflow.MlflowClient().log_artifact(run_id, str(forged), VERDICT_FOLDER)
    assert "not the one that its tags name" in refusal()
    assert len(entries(ledger, "alias_moved")) == 1


def test_a_verdict_against_a_champion_does_not_make_the_first_one(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, _ = releases
    judge(registry, ledger, second, against=first)
    with pytest.raises(PromotionError, match=f"against release {first}, and none is champion now"):
        promote_release(registry, ledger, second, who="Ada")


def test_a_verdict_that_was_rewritten_in_mlflow_is_not_taken_for_the_gates(
    registry: Registry, ledger: Ledger, releases: Sequence[int], tmp_path: Path
) -> None:
    number = releases[0]
    run_id = judge(registry, ledger, number, approvals=2)
    digest = registry.version(SCREENING, number).tag(DIGEST_TAG)
    forged = tmp_path / VERDICT_FILE
    forged.write_bytes(toy_verdict(number, digest, approvals=0).to_json())
    mlflow.MlflowClient().log_artifact(run_id, str(forged), VERDICT_FOLDER)
    registry.set_version_tags(SCREENING, number, {VERDICT_SHA256_TAG: sha256_file(forged)})
    with pytest.raises(PromotionError, match="has no record of the verdict"):
        promote_release(registry, ledger, number, who="Mallory")


def test_going_round_the_gate_needs_a_reason_and_is_recorded(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    number = releases[2]
    for reason in ("", "  "):
        with pytest.raises(UsageError, match=r"needs a reason, which is kept on record: --reason"):
            promote_release(registry, ledger, number, who="Ada", reason=reason, force=True)
    judge(registry, ledger, number, outcome="failed")
    promotion = promote_release(registry, ledger, number, who="Ada", reason="the old one is down", force=True)
    assert promotion.forced
    (entry,) = entries(ledger, "alias_moved")
    assert entry.facts["forced"] is True
    assert entry.facts["overrode"].startswith(f"The gate failed release {number}")
    assert entry.why == "the old one is down"


def test_force_is_not_recorded_where_the_gate_had_nothing_against_it(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    judge(registry, ledger, releases[0])
    assert not promote_release(registry, ledger, releases[0], who="Ada", reason="sure", force=True).forced


def test_two_approvals_are_of_two_persons_and_younger_than_the_verdict(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    number = releases[0]
    judge(registry, ledger, number, approvals=2)
    approve_release(registry, ledger, number, who="Ada")
    approve_release(registry, ledger, number, who="Grace")
    judge(registry, ledger, number, approvals=2)
    with pytest.raises(PromotionError, match=r"asks for 2 approval\(s\), and nobody approved"):
        promote_release(registry, ledger, number, who="Ada")
    assert approve_release(registry, ledger, number, who="Ada", reason="read it").changed
    again = approve_release(registry, ledger, number, who="Ada")
    assert (again.changed, again.approvers, again.required) == (False, ("Ada",), 2)
    with pytest.raises(PromotionError, match=r"2 approval\(s\), and Ada approved .* hilum release approve"):
        promote_release(registry, ledger, number, who="Grace")
    approve_release(registry, ledger, number, who="Grace")
    promote_release(registry, ledger, number, who="Ada")
    (entry,) = entries(ledger, "alias_moved")
    assert entry.facts["approvers"] == ["Ada", "Grace"]
    assert [each.why for each in entries(ledger, "approved")][2] == "read it"


def test_one_approval_is_not_that_of_the_one_who_promotes(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    number = releases[0]
    judge(registry, ledger, number, approvals=1)
    approve_release(registry, ledger, number, who="Ada")
    with pytest.raises(PromotionError, match=r"Only Ada approved .*, who is promoting it: somebody else"):
        promote_release(registry, ledger, number, who="Ada")
    assert promote_release(registry, ledger, number, who="Grace").changed


def test_what_no_gate_passed_cannot_be_approved(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    number = releases[1]
    judge(registry, ledger, number, outcome="failed")
    with pytest.raises(PromotionError, match=r"There is nothing to approve. The gate failed"):
        approve_release(registry, ledger, number, who="Ada")
    digest = registry.version(SCREENING, number).tag(DIGEST_TAG)
    verdict = toy_verdict(number, digest)
    tag_verdict(registry, verdict, store_verdict(verdict, ""))
    with pytest.raises(PromotionError, match=r"There is nothing to approve. The ledger at .* has no record"):
        approve_release(registry, ledger, number, who="Ada")
    assert entries(ledger, "approved") == []


def test_a_challenger_needs_no_verdict_and_leaves_its_role_as_champion(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, third = releases
    force(registry, ledger, first)
    promotion = promote_release(registry, ledger, second, role="challenger", who="Ada")
    assert (promotion.role, promotion.release, promotion.previous) == ("challenger", second, None)
    assert registry.aliases(SCREENING) == {"champion": first, "challenger": second}
    assert promote_release(registry, ledger, third, role="challenger", who="Ada").previous == second
    assert not promote_release(registry, ledger, third, role="challenger", who="Ada").changed
    with pytest.raises(PromotionError, match=f"Release {first} is the champion: it cannot be its own"):
        promote_release(registry, ledger, first, role="challenger", who="Ada")
    with pytest.raises(UsageError, match="nothing to force"):
        promote_release(registry, ledger, second, role="challenger", who="Ada", reason="x", force=True)
    force(registry, ledger, third)
    assert registry.aliases(SCREENING) == {"champion": third, "previous": first}


def test_a_challenger_can_be_removed(registry: Registry, ledger: Ledger, releases: Sequence[int]) -> None:
    first, second, _ = releases
    force(registry, ledger, first)
    assert not remove_challenger(registry, ledger, who="Ada").changed
    promote_release(registry, ledger, second, role="challenger", who="Ada")
    removal = remove_challenger(registry, ledger, who="Ada", reason="seen enough")
    assert (removal.release, removal.previous, removal.changed) == (None, second, True)
    assert registry.aliases(SCREENING) == {"champion": first}


def test_a_challenger_that_cannot_be_served_is_refused(
    registry: Registry, ledger: Ledger, releases: Sequence[int], toy_releases: ToyReleases
) -> None:
    number = toy_releases.forge(releases[1], embedding_size=9)
    with pytest.raises(PromotionError, match=r"cannot be served: .*\(\d defect\(s\): hilum release lint"):
        promote_release(registry, ledger, number, role="challenger", who="Ada")
    assert registry.aliases(SCREENING) == {}


def test_a_rollback_goes_to_any_release_that_was_champion(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, third = releases
    with pytest.raises(PromotionError, match="No release is champion, so there is none to go back from"):
        roll_back(registry, ledger, who="Ada")
    force(registry, ledger, first)
    with pytest.raises(PromotionError, match=f"No release was champion before release {first}"):
        roll_back(registry, ledger, who="Ada")
    with pytest.raises(PromotionError, match=f"Release {third} never was champion, .* release gate {third}"):
        roll_back(registry, ledger, to=third, who="Ada")
    with pytest.raises(UnknownVersionError, match="no version 999"):
        roll_back(registry, ledger, to=999, who="Ada")
    force(registry, ledger, second, third)
    back = roll_back(registry, ledger, who="Grace", reason="rejects portable films")
    assert (back.release, back.previous, back.forced) == (second, third, False)
    assert registry.aliases(SCREENING) == {"champion": second, "previous": third}
    assert ledger.newest("alias_moved").why == "rejects portable films"  # type: ignore[union-attr]
    assert roll_back(registry, ledger, to=first, who="Ada").release == first
    assert registry.aliases(SCREENING) == {"champion": first, "previous": second}
    assert not roll_back(registry, ledger, to=first, who="Ada").changed
    assert roll_back(registry, ledger, who="Ada").release == second
    assert roll_back(registry, ledger, who="Ada").release == first


def test_a_rollback_works_where_the_champions_are_older_than_the_ledger(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, _ = releases
    registry.set_alias(SCREENING, "previous", first)
    registry.set_alias(SCREENING, "champion", second)
    back = roll_back(registry, ledger, who="Ada")
    assert (back.release, back.previous) == (first, second)
    assert registry.aliases(SCREENING) == {"champion": first, "previous": second}


class MeetingLedger(Ledger):
    """Appends only once the other process has decided too."""

    barrier: Barrier

    @override
    def append(self, *arguments: Any, **named: Any) -> Entry:
        self.barrier.wait(60)
        return super().append(*arguments, **named)


def promote_in_a_race(
    mlflow_uri: str, ledger_url: str, number: int, barrier: Barrier, outcomes: "SimpleQueue[Any]"
) -> None:
    """Promote `number` at the same time as another process promotes another; report what came of it."""
    registry, ledger = Registry(mlflow_uri), MeetingLedger(ledger_url)
    ledger.barrier = barrier
    try:
        promote_release(registry, ledger, number, who=f"process {number}", reason="race", force=True)
    except HilumError as error:
        outcomes.put((number, type(error).__name__, str(error)))
    else:
        outcomes.put((number, "won", ""))


def test_of_two_processes_that_promote_at_once_one_wins_and_the_other_is_told(
    registry: Registry, ledger: Ledger, releases: Sequence[int], mlflow_server: str, tmp_path: Path
) -> None:
    first, second, third = releases
    force(registry, ledger, first)
    spawn = get_context("spawn")
    barrier, outcomes = spawn.Barrier(2), spawn.SimpleQueue()
    racers = [
        spawn.Process(
            target=promote_in_a_race,
            args=(mlflow_server, sqlite_url(tmp_path), number, barrier, outcomes),
        )
        for number in (second, third)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
        assert racer.exitcode == 0
    by_result = {result: (number, sentence) for number, result, sentence in (outcomes.get(), outcomes.get())}
    winner, _ = by_result["won"]
    _, sentence = by_result[ConcurrentChangeError.__name__]
    assert f"by process {winner}" in sentence
    assert "Nothing was changed" in sentence
    assert registry.aliases(SCREENING) == {"champion": winner, "previous": first}
    assert [entry.facts["release"] for entry in entries(ledger, "alias_moved")] == [first, winner]


def test_the_commands_speak_json_and_say_what_comes_next(
    registry: Registry,
    releases: Sequence[int],
    mlflow_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HILUM_MLFLOW_URI", mlflow_server)
    monkeypatch.setenv("HILUM_LEDGER_URL", sqlite_url(tmp_path))
    monkeypatch.setenv("HILUM_ACTOR", "Grace")
    settings.cache_clear()

    def run(command: click.Command, *arguments: str) -> tuple[dict[str, Any], str]:
        result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
        return json.loads(result.stdout), result.stderr

    first, second, _ = map(str, releases)
    promoted, said = run(promote_command, first, "--force", "--reason", "first")
    assert (promoted["release"], promoted["role"], promoted["forced"]) == (int(first), "champion", True)
    assert "hilum rollout apply" in said
    challenger, _ = run(promote_command, second, "--as", "challenger")
    assert challenger["role"] == "challenger"
    removed, _ = run(promote_command, "none", "--as", "challenger")
    assert (removed["release"], removed["previous"]) == (None, int(second))
    with Ledger(sqlite_url(tmp_path)) as ledger:
        judge(registry, ledger, int(second), against=int(first), approvals=1)
        approval, _ = run(release_command, "approve", second)
        assert (approval["approvers"], approval["changed"]) == (["Grace"], True)
        assert {entry.who for entry in entries(ledger, "alias_moved")} == {"Grace"}
    with pytest.raises(PromotionError, match=f"Release {second} was not promoted. Only Grace approved"):
        run(promote_command, second)
    monkeypatch.setenv("HILUM_ACTOR", "Ada")
    settings.cache_clear()
    assert run(promote_command, second)[0]["previous"] == int(first)
    assert run(rollback_command, "--reason", "try")[0]["release"] == int(first)
    result = CliRunner().invoke(promote_command, ["none"])
    assert result.exit_code == 2
    assert "hilum promote none --as challenger" in result.output
    settings.cache_clear()
