"""Tells MLflow's webhook deliveries from forged, replayed and broken ones.

MLflow signs `id.timestamp.body` with HMAC-SHA256 (https://mlflow.org/docs/latest/ml/webhooks/). A
delivery only wakes the watcher, which then asks the registry: nothing that a delivery says is acted on.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from hilum.contract import SCREENING

DELIVERY_ID_HEADER = "X-MLflow-Delivery-Id"
TIMESTAMP_HEADER = "X-MLflow-Timestamp"
SIGNATURE_HEADER = "X-MLflow-Signature"
"""What MLflow calls the headers of a delivery."""

TOLERANCE_S = 300
"""Farthest that a delivery's time may lie from ours, in seconds: an older one may be a replay."""

Outcome = Literal["accepted", "duplicate", "stale", "forged", "malformed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a delivery is."""

    outcome: Outcome
    """`accepted` is genuine and new; `duplicate` was here before; `stale` is genuine but of another time."""
    sentence: str
    """Why, for the log of who sent it."""
    concerns_releases: bool = False
    """Whether it tells of an alias of a release."""


class Deliveries:
    """Judges deliveries signed with one secret, and remembers those it accepted.

    The memory does not outlive the process. What is replayed after a restart wakes the watcher once
    for nothing, and for no longer than `TOLERANCE_S`.
    """

    def __init__(self, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        """Remember nothing yet; `clock` gives seconds since 1970."""
        self._secret = secret
        self._clock = clock
        self._seen: dict[str, int] = {}

    def judge(self, headers: Mapping[str, str], body: bytes) -> Judgement:
        """Judge one delivery; the headers' names are looked up as MLflow spells them, or without case."""
        delivery = headers.get(DELIVERY_ID_HEADER)
        stamp = headers.get(TIMESTAMP_HEADER)
        signature = headers.get(SIGNATURE_HEADER)
        if not (delivery and stamp and signature):
            return Judgement(
                outcome="malformed",
                sentence=f"A delivery has the headers {DELIVERY_ID_HEADER}, {TIMESTAMP_HEADER} and "
                f"{SIGNATURE_HEADER}; the last needs a webhook with a secret.",
            )
        expected = sign(self._secret, delivery, stamp, body)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            return Judgement(outcome="forged", sentence="The signature is not one of our secret.")
        if not re.fullmatch(r"[0-9]{1,12}", stamp):
            return Judgement(outcome="malformed", sentence=f"{TIMESTAMP_HEADER} is no number of seconds.")
        now = self._clock()
        if abs(now - int(stamp)) > TOLERANCE_S:
            return Judgement(
                outcome="stale",
                sentence=f"The delivery's time is {int(stamp) - now:+.0f} s from ours; at most "
                f"{TOLERANCE_S} s are allowed. It is a replay, or one of the two clocks is wrong.",
            )
        if delivery in self._seen:
            return Judgement(outcome="duplicate", sentence="This delivery was here before.")
        event = _parse(body)
        if event is None:
            return Judgement(outcome="malformed", sentence="The body is no event of MLflow's.")
        self._remember(delivery, int(stamp), now)
        return Judgement(
            outcome="accepted", sentence="Accepted.", concerns_releases=event.get("name") == SCREENING
        )

    def _remember(self, delivery: str, stamp: int, now: float) -> None:
        """Keep an id for as long as its time is not stale."""
        self._seen = {key: kept for key, kept in self._seen.items() if now - kept <= TOLERANCE_S}
        self._seen[delivery] = stamp


def sign(secret: str, delivery: str, stamp: str, body: bytes) -> str:
    """Return the signature that MLflow gives a delivery."""
    content = f"{delivery}.{stamp}.".encode() + body
    digest = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _parse(body: bytes) -> Mapping[str, object] | None:
    """Return what an event is about, or None where the body is no event."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    about = event.get("data") if isinstance(event, dict) else None
    return about if isinstance(about, dict) else None
