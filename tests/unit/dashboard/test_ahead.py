"""What is imported ahead of the first reader exists."""

from importlib.util import find_spec

import pytest

from dashboard.ahead import MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_that_is_imported_ahead_exists(module: str) -> None:
    assert find_spec(module) is not None
