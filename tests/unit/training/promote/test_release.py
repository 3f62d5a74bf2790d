"""The record of a release: one release, one text, one digest."""

import pytest
from pydantic import ValidationError

from hilum.contract import LABELS
from training.promote.golden import GoldenCase
from training.promote.release import PinnedNetwork, Release


def network(version: int) -> PinnedNetwork:
    return PinnedNetwork(
        version=version, sha256="ab" * 32, run_id="r", recipe="icapuc", data_digest="d", git_revision="g"
    )


def toy_record(**changes: object) -> Release:
    values: dict[str, object] = {
        "filter": network(3),
        "classifier": network(5),
        "labels": LABELS,
        "thresholds": {"lung_opacity": 0.4, "covid19": 0.6},
        "filter_threshold": 0.5,
        "decoder_digest": "cd" * 32,
        "map_size": (14, 14),
        "embedding_size": 1024,
        "golden_cases": (
            GoldenCase(
                file="golden/0.png",
                sha256="ef" * 32,
                valid_probability=0.1,
                accepted=False,
                probabilities=None,
            ),
        ),
    }
    return Release.model_validate(values | changes)


def test_a_release_survives_its_text() -> None:
    release = toy_record()
    assert Release.model_validate_json(release.to_json()) == release
    assert Release.model_validate_json(release.to_json()).digest == release.digest


def test_the_digest_does_not_depend_on_the_order_of_thresholds() -> None:
    assert toy_record().digest == toy_record(thresholds={"covid19": 0.6, "lung_opacity": 0.4}).digest


@pytest.mark.parametrize(
    "change",
    [
        {"filter": network(4)},
        {"thresholds": {"lung_opacity": 0.4, "covid19": 0.61}},
        {"golden_cases": ()},
        {"decoder_digest": "00" * 32},
    ],
)
def test_the_digest_covers_everything(change: dict[str, object]) -> None:
    assert toy_record(**change).digest != toy_record().digest


def test_what_triton_serves_carries_the_digest_and_both_versions() -> None:
    release = toy_record()
    served = release.served(7)
    assert (served.number, served.filter_version, served.classifier_version) == (7, 3, 5)
    assert served.digest == release.digest
    assert served.operating_point.thresholds == {"lung_opacity": 0.4, "covid19": 0.6}
    assert (served.map_size, served.embedding_size) == ((14, 14), 1024)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"colour": "red"}, {"map_size": (14,)}, {"embedding_size": "many"}]
)
def test_a_record_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        toy_record(**change)
