"""A registry as a test wants it, and one whose writer is killed."""

from typing import Any

import mlflow
from typing_extensions import override

from hilum.contract import SCREENING
from training.promote.aliases import DECISION_TAG
from training.promote.verdict import VERDICT_TAG
from training.registry import Registry


def without_aliases(registry: Registry) -> Registry:
    """Remove what earlier tests promoted, and judged, from a shared registry, and return it."""
    for alias in registry.aliases(SCREENING):
        registry.delete_alias(SCREENING, alias)
    client = mlflow.MlflowClient()
    client.delete_registered_model_tag(SCREENING, DECISION_TAG)
    for release in registry.versions(SCREENING):
        for tag in release.tags:
            if tag.startswith(VERDICT_TAG):
                client.delete_model_version_tag(SCREENING, str(release.number), tag)
    return registry


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


class KilledWriter(Registry):
    """A registry whose process is killed instead of the write after `writes`."""

    def __init__(self, tracking_uri: str, *, writes: int) -> None:
        super().__init__(tracking_uri)
        self._left = writes

    @override
    def set_alias(self, *arguments: Any) -> None:
        self._count()
        super().set_alias(*arguments)

    @override
    def delete_alias(self, *arguments: Any) -> None:
        self._count()
        super().delete_alias(*arguments)

    @override
    def set_model_tag(self, *arguments: Any) -> None:
        self._count()
        super().set_model_tag(*arguments)

    def _count(self) -> None:
        if self._left == 0:
            raise KilledError
        self._left -= 1
