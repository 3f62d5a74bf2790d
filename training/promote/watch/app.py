"""The watcher's HTTP side: webhooks in, health and metrics out."""

import logging
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from training.promote.watch.bell import Bell
from training.promote.watch.deliveries import Deliveries, Judgement, Outcome
from training.promote.watch.metrics import WatchMetrics
from training.promote.watch.state import State

WEBHOOK_PATH = "/webhooks/mlflow"
"""Where MLflow sends its deliveries."""

MAX_BODY_BYTES = 64 * 1024
"""Largest delivery that is read; an alias event takes a few hundred bytes."""

STATUS: dict[Outcome, HTTPStatus] = {
    "accepted": HTTPStatus.ACCEPTED,
    "duplicate": HTTPStatus.OK,
    "stale": HTTPStatus.BAD_REQUEST,
    "forged": HTTPStatus.UNAUTHORIZED,
    "malformed": HTTPStatus.BAD_REQUEST,
}
"""The answer to a delivery. MLflow sends again only after 429 and 5xx, so none of these makes it try."""

log = logging.getLogger(__name__)


def build_app(deliveries: Deliveries, bell: Bell, metrics: WatchMetrics, state: State) -> Starlette:
    """Return the application: `/webhooks/mlflow`, `/healthz`, `/readyz` and `/metrics`.

    `/healthz` answers 200 while the process lives. `/readyz` answers 200 where the last pass
    succeeded, else 503, and says when a pass last did.
    """

    async def receive(request: Request) -> Response:
        judgement = await _judge(request, deliveries)
        metrics.count_webhook(judgement.outcome)
        if judgement.outcome == "accepted" and judgement.concerns_releases:
            bell.ring()
        if judgement.outcome not in ("accepted", "duplicate"):
            log.warning("A webhook was refused (%s): %s", judgement.outcome, judgement.sentence)
        record = {"result": judgement.outcome, "detail": judgement.sentence}
        return JSONResponse(record, STATUS[judgement.outcome])

    async def live(_request: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_request: Request) -> Response:
        condition = state.condition
        if condition is None:
            record = {"ready": False, "detail": "The first pass has not ended yet.", "last_success": None}
            return JSONResponse(record, HTTPStatus.SERVICE_UNAVAILABLE)
        last = condition.last_success_at
        record = {
            "ready": condition.succeeded,
            "detail": condition.sentence,
            "last_success": last.isoformat(timespec="seconds") if last else None,
        }
        return JSONResponse(record, HTTPStatus.OK if condition.succeeded else HTTPStatus.SERVICE_UNAVAILABLE)

    async def expose(_request: Request) -> Response:
        return Response(metrics.expose(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route(WEBHOOK_PATH, receive, methods=["POST"]),
            Route("/healthz", live),
            Route("/readyz", ready),
            Route("/metrics", expose),
        ]
    )


async def _judge(request: Request, deliveries: Deliveries) -> Judgement:
    """Judge a request, of which no more than the bound is ever held in memory."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                sentence = f"A delivery has at most {MAX_BODY_BYTES} bytes."
                return Judgement(outcome="malformed", sentence=sentence)
    except ClientDisconnect:
        return Judgement(outcome="malformed", sentence="The sender left before the end of the delivery.")
    return deliveries.judge(request.headers, body)
