"""What a rollout refuses, and that the release that answers goes on answering."""

import onnx
import pytest
from onnx import helper

from hilum.contract import CLASSIFIER, FILTER
from hilum.errors import ServiceUnreachableError
from tests.support.rollout_site import RolloutSite, tree
from tests.support.signed_answers import FIRST, SECOND
from tests.support.toy_models import toy_classifier
from training.errors import (
    BrokenPromiseError,
    IntegrityError,
    RefusedReleaseError,
    RepositoryError,
    RolloutError,
    UnknownVersionError,
)
from training.promote import rollout
from training.promote.release import fetch_release
from training.promote.rollout import apply
from training.promote.rollout_record import BROKE_PROMISE


def unknown_operator() -> onnx.ModelProto:
    """Return a classifier that is a valid ONNX model with an operator that ONNX Runtime does not have."""
    network = toy_classifier()
    network.graph.node[-1].output[0] = "inner"
    network.graph.node.append(helper.make_node("Unknown", ["inner"], ["embedding"], domain="nowhere"))
    network.opset_import.append(helper.make_opsetid("nowhere", 1))
    return network


def broken_promise(old: int) -> str:
    """Return the pattern of what its rollout says."""
    return rf"(?s)golden/0\.png.* promised was .* Release {old} answers as before"


def test_a_network_that_triton_cannot_load_leaves_the_old_release(serving_site: RolloutSite) -> None:
    releases = serving_site.releases
    first, second = releases.number(FIRST), releases.number(SECOND)
    broken = releases.register_classifier(unknown_operator())
    pinned = fetch_release(releases.registry, first).release.classifier
    changed = pinned.model_copy(update={"version": broken.number, "sha256": broken.tags["hilum.sha256"]})
    number = releases.forge(first, classifier=changed)
    refusal = rf"could not load {CLASSIFIER}.*not a registered function.* Release {first} answers as before"
    with serving_site.hammered() as answers, pytest.raises(RolloutError, match=refusal):
        serving_site.apply(number)
    assert {answer.release for answer in answers} == {first}
    serving_site.assert_serves_only(first)
    kind, champion, _, _ = serving_site.entries()[-1]
    assert (kind, champion) == ("rollout_failed", number)
    assert serving_site.apply(second).outcome == "loaded"
    serving_site.assert_serves_only(second)


def test_a_release_that_breaks_its_promise_answers_nobody(serving_site: RolloutSite) -> None:
    first, number = serving_site.releases.number(FIRST), serving_site.releases.promise_breaker()
    with serving_site.hammered() as answers, pytest.raises(RolloutError, match=broken_promise(first)):
        serving_site.apply(number)
    assert {answer.release for answer in answers} == {first}
    serving_site.assert_serves_only(first)
    with serving_site.open() as site:
        failure = list(site.ledger.entries())[-1]
        with pytest.raises(
            RefusedReleaseError, match=rf"Release {number} is not tried again: .* promised was"
        ):
            apply(site, {"champion": number, "challenger": None}, again=False)
        assert site.ledger.head().number == failure.number
    digest = fetch_release(serving_site.releases.registry, number).release.digest
    assert failure.facts[BROKE_PROMISE] == {"release": number, "digest": digest}


def test_a_front_door_that_breaks_the_promise_of_its_networks_goes_back(
    serving_site: RolloutSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the networks are right, and the ensemble joins them wrongly."""
    first, number = serving_site.releases.number(FIRST), serving_site.releases.promise_breaker()
    monkeypatch.setattr(rollout, "check_loaded", lambda _triton, _stored: None)
    with serving_site.hammered() as answers, pytest.raises(RolloutError, match=broken_promise(first)):
        serving_site.apply(number)
    assert number in {answer.release for answer in answers} <= {first, number}
    serving_site.assert_serves_only(first)


def test_what_answers_already_is_asked_again_and_its_broken_promise_recorded(
    rollout_site: RolloutSite,
) -> None:
    """As where a release was written while no server ran, and then loaded by a server that starts."""
    number = rollout_site.releases.promise_breaker()
    assert rollout_site.apply(number).outcome == "written"
    with rollout_site.triton():
        with pytest.raises(BrokenPromiseError, match=r"golden/0\.png"):
            rollout_site.apply(number)
        kinds = [kind for kind, *_ in rollout_site.entries()]
        assert kinds == ["rollout_began", "rolled_out", "rollout_began", "rollout_failed"]
        assert rollout_site.ask().release == number


def test_what_does_not_fit_or_was_tampered_with_is_refused_before_anything_is_touched(
    rollout_site: RolloutSite,
) -> None:
    releases = rollout_site.releases
    first, second = releases.number(FIRST), releases.number(SECOND)
    rollout_site.apply(first)
    before = tree(rollout_site.live)
    release = fetch_release(releases.registry, first).release
    too_long = releases.forge(first, embedding_size=release.embedding_size + 1)
    with pytest.raises(
        RepositoryError, match=r"'embedding': the network's shape .* \[8\], configured is \[9\]"
    ):
        rollout_site.apply(too_long)
    other = fetch_release(releases.registry, second).release.filter
    tampered = releases.forge(first, filter=release.filter.model_copy(update={"version": other.version}))
    with pytest.raises(IntegrityError, match=f"{FILTER} version {other.version} .* not the network"):
        rollout_site.apply(tampered)
    assert tree(rollout_site.live) == before


def test_the_wrong_key_no_champion_and_no_name_are_told(serving_site: RolloutSite) -> None:
    first = serving_site.releases.number(FIRST)
    with (
        serving_site.open(key="wrong") as site,
        pytest.raises(ServiceUnreachableError, match="HILUM_ADMIN_KEY"),
    ):
        apply(site, {"champion": first})
    with serving_site.open() as site, pytest.raises(UnknownVersionError, match="hilum promote"):
        apply(site, {"champion": None})
    with pytest.raises(UnknownVersionError, match="no version 9999"):
        serving_site.apply(9999)
    serving_site.assert_serves_only(first)
