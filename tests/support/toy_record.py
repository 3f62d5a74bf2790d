"""The record of a release, made by hand."""

from hilum.contract import LABELS
from training.promote.golden import GoldenCase
from training.promote.release import PinnedNetwork, Release


def network(version: int) -> PinnedNetwork:
    """Return a pinned network of release format 1: without a temperature."""
    return PinnedNetwork(
        version=version, sha256="ab" * 32, run_id="r", recipe="icapuc", data_digest="d", git_revision="g"
    )


def toy_record(**changes: object) -> Release:
    """Return a release; `changes` replace its fields."""
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
