"""The record of a release: one release, one text, one digest."""

import json

import pytest
from pydantic import ValidationError

from hilum.files import sha256_bytes
from tests.support.toy_record import network, toy_record
from training.promote.release import Release

FIRST_FORMAT = """\
{
 "classifier": {
  "data_digest": "d",
  "git_revision": "g",
  "recipe": "icapuc",
  "run_id": "r",
  "sha256": "abababababababababababababababababababababababababababababababab",
  "version": 5
 },
 "decoder_digest": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
 "embedding_size": 1024,
 "filter": {
  "data_digest": "d",
  "git_revision": "g",
  "recipe": "icapuc",
  "run_id": "r",
  "sha256": "abababababababababababababababababababababababababababababababab",
  "version": 3
 },
 "filter_threshold": 0.5,
 "format": 1,
 "golden_cases": [
  {
   "accepted": false,
   "file": "golden/0.png",
   "probabilities": null,
   "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef",
   "valid_probability": 0.1
  }
 ],
 "labels": [
  "no_finding",
  "lung_opacity",
  "covid19"
 ],
 "map_size": [
  14,
  14
 ],
 "thresholds": {
  "covid19": 0.6,
  "lung_opacity": 0.4
 }
}"""
"""A release as the first version of Hilum wrote it."""

SECOND_FORMAT = FIRST_FORMAT.replace('"format": 1', '"format": 2').replace(
    '  "version"', '  "temperature": 1.5,\n  "version"'
)
"""One before there were reference samples."""


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
        {"reference_sha256": "12" * 32},
    ],
)
def test_the_digest_covers_everything(change: dict[str, object]) -> None:
    assert toy_record(**change).digest != toy_record().digest


@pytest.mark.parametrize(("text", "temperature"), [(FIRST_FORMAT, None), (SECOND_FORMAT, 1.5)])
def test_a_release_of_an_earlier_format_keeps_its_text_and_its_digest(
    text: str, temperature: float | None
) -> None:
    release = Release.model_validate_json(text)
    assert release.filter.temperature == temperature
    assert release.reference_sha256 is None
    assert release.to_json() == text.encode()
    assert release.digest == sha256_bytes(text.encode())


def test_the_digest_covers_the_temperature() -> None:
    warm = network(5).model_copy(update={"temperature": 1.5})
    assert toy_record(classifier=warm).digest != toy_record().digest
    assert json.loads(toy_record(classifier=warm).to_json())["classifier"]["temperature"] == 1.5


def test_what_triton_serves_carries_the_digest_and_both_versions() -> None:
    release = toy_record()
    served = release.served(7)
    assert (served.number, served.filter_version, served.classifier_version) == (7, 3, 5)
    assert served.digest == release.digest
    assert served.operating_point.thresholds == {"lung_opacity": 0.4, "covid19": 0.6}
    assert (served.map_size, served.embedding_size) == ((14, 14), 1024)


@pytest.mark.parametrize(
    "change", [{"format": 4}, {"colour": "red"}, {"map_size": (14,)}, {"embedding_size": "many"}]
)
def test_a_record_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        toy_record(**change)
