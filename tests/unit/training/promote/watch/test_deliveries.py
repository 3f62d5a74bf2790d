import json

import pytest
from mlflow.webhooks import constants
from mlflow.webhooks.delivery import _generate_hmac_signature

from training.promote.watch.deliveries import (
    DELIVERY_ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOLERANCE_S,
    Deliveries,
    sign,
)

SECRET = "a secret for tests"
NOW = 1_800_000_000
BODY = json.dumps({"entity": "model_version_alias", "data": {"name": "xray_screening"}}).encode()


def headers(
    body: bytes = BODY, *, secret: str = SECRET, delivery: str = "1", stamp: str = str(NOW)
) -> dict[str, str]:
    signature = sign(secret, delivery, stamp, body)
    return {DELIVERY_ID_HEADER: delivery, TIMESTAMP_HEADER: stamp, SIGNATURE_HEADER: signature}


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deliveries(clock: Clock) -> Deliveries:
    return Deliveries(SECRET, clock=clock)


def test_signs_as_mlflow_does() -> None:
    body = '{"data": {"name": "Ä"}}'
    assert sign(SECRET, "id", "17", body.encode()) == _generate_hmac_signature(SECRET, "id", "17", body)
    assert [DELIVERY_ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] == [
        constants.WEBHOOK_DELIVERY_ID_HEADER,
        constants.WEBHOOK_TIMESTAMP_HEADER,
        constants.WEBHOOK_SIGNATURE_HEADER,
    ]


def test_a_genuine_one_is_accepted(deliveries: Deliveries) -> None:
    judgement = deliveries.judge(headers(), BODY)
    assert judgement.outcome == "accepted"
    assert judgement.concerns_releases


@pytest.mark.parametrize("data", [{"name": "xray_filter"}, {}])
def test_one_about_another_model_is_accepted_and_wakes_nobody(deliveries: Deliveries, data: object) -> None:
    body = json.dumps({"data": data}).encode()
    judgement = deliveries.judge(headers(body), body)
    assert judgement.outcome == "accepted"
    assert not judgement.concerns_releases


def test_the_second_of_the_same_is_a_duplicate(deliveries: Deliveries) -> None:
    deliveries.judge(headers(), BODY)
    assert deliveries.judge(headers(), BODY).outcome == "duplicate"
    assert deliveries.judge(headers(delivery="2"), BODY).outcome == "accepted"


@pytest.mark.parametrize(
    "forged",
    [
        headers(secret="another secret"),
        headers() | {SIGNATURE_HEADER: "v1,AAAA"},
        headers() | {SIGNATURE_HEADER: "é"},
        headers() | {DELIVERY_ID_HEADER: "2"},
        headers() | {TIMESTAMP_HEADER: str(NOW + 1)},
        headers(BODY + b" "),
    ],
)
def test_anything_that_differs_from_what_was_signed_is_forged(
    deliveries: Deliveries, forged: dict[str, str]
) -> None:
    assert deliveries.judge(forged, BODY).outcome == "forged"
    assert deliveries.judge(headers(), BODY).outcome == "accepted"  # a forged id is not remembered


@pytest.mark.parametrize("skew", [-TOLERANCE_S - 1, TOLERANCE_S + 1, 10**9, -NOW])
def test_one_of_another_time_is_stale(deliveries: Deliveries, skew: int) -> None:
    judgement = deliveries.judge(headers(stamp=str(NOW + skew)), BODY)
    assert judgement.outcome == "stale"
    assert f"{skew:+d} s from ours" in judgement.sentence


@pytest.mark.parametrize("skew", [-TOLERANCE_S, TOLERANCE_S])
def test_a_small_skew_is_allowed(deliveries: Deliveries, skew: int) -> None:
    assert deliveries.judge(headers(stamp=str(NOW + skew)), BODY).outcome == "accepted"


@pytest.mark.parametrize("ahead", [0, TOLERANCE_S])
def test_a_replay_is_refused_at_any_later_time(deliveries: Deliveries, clock: Clock, ahead: int) -> None:
    """Remembered while its time is not stale, stale once it is forgotten."""
    replayed = headers(stamp=str(NOW + ahead))
    deliveries.judge(replayed, BODY)
    for second in range(1, 3 * TOLERANCE_S, 10):
        clock.now = NOW + second
        deliveries.judge(headers(delivery=f"at {second}", stamp=str(NOW + second)), BODY)
        expected = "duplicate" if second <= ahead + TOLERANCE_S else "stale"
        assert deliveries.judge(replayed, BODY).outcome == expected


@pytest.mark.parametrize("missing", [DELIVERY_ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER])
def test_without_a_header_it_is_malformed(deliveries: Deliveries, missing: str) -> None:
    without = {name: value for name, value in headers().items() if name != missing}
    judgement = deliveries.judge(without, BODY)
    assert judgement.outcome == "malformed"
    assert missing in judgement.sentence


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"\xff", b"[]", b'{"data": "xray_screening"}', b"[" * 9999]
)
def test_a_signed_body_that_is_no_event_is_malformed(deliveries: Deliveries, body: bytes) -> None:
    assert deliveries.judge(headers(body), body).outcome == "malformed"


@pytest.mark.parametrize("stamp", ["soon", "1.5", "-5", "²", "0x1", "9" * 5000])
def test_a_signed_time_that_is_no_time_is_refused(deliveries: Deliveries, stamp: str) -> None:
    assert deliveries.judge(headers(stamp=stamp), BODY).outcome == "malformed"
