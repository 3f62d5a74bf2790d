"""What the tests of the chart share."""

from collections.abc import Iterator

import pytest

from tests.support.helm import Helm, running_helm


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    """A Helm that remembers what it has rendered."""
    with running_helm() as helm:
        yield helm
