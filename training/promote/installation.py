"""The site of one installation: where its settings let a rollout act."""

from collections.abc import Iterator
from contextlib import contextmanager

from hilum.settings import Settings
from training.ledger.ledger import Ledger
from training.promote.site import Site
from training.promote.targets.mirror import mirror_of
from training.promote.triton_fleet import opened_triton
from training.registry import Registry


@contextmanager
def open_site(settings: Settings) -> Iterator[Site]:
    """Yield the site that the settings name; its connections are closed afterwards.

    Raises:
        ServiceUnreachableError: MLflow does not answer.
        UsageError: the address of the ledger or of the mirror is none.
    """
    with (
        Ledger(settings.ledger_address) as ledger,
        opened_triton(settings) as triton,
    ):
        yield Site(
            registry=Registry(settings.mlflow_address),
            ledger=ledger,
            repository=settings.live_repository,
            triton=triton,
            instances=settings.instances,
            who=settings.actor_name,
            mirror=mirror_of(settings.repository_mirror),
        )
