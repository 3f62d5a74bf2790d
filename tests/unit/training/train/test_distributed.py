"""A process on its own; several together are tested in `integration/test_distributed`."""

import pickle

import pandas as pd
import pytest
import torch

from hilum.errors import UsageError
from training.data.samples import SampleTable
from training.train.distributed import (
    check_joined,
    from_rank_zero,
    gathered,
    joined_processes,
    machines,
    rank,
    rank_zero_first,
    sum_over_processes,
    world_size,
)
from training.train.loop import _Start


def test_a_process_alone_is_rank_zero_of_one() -> None:
    with joined_processes("cpu"):
        check_joined()
        assert (rank(), world_size(), machines(), sum_over_processes(5)) == (0, 1, 1, 5)
        assert from_rank_zero(lambda: "done") == "done"
        assert rank_zero_first(lambda: "done") == "done"
        tensor = torch.ones(3, 2)
        assert gathered(tensor) is tensor


def test_alone_an_error_is_the_callers_own() -> None:
    with pytest.raises(UsageError, match="wrong"), joined_processes("cpu"):
        from_rank_zero(_fail)


def test_a_command_that_does_not_spread_is_refused_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "any")
    with pytest.raises(UsageError, match="Under torchrun only `hilum train` spreads"):
        check_joined()


def _fail() -> None:
    raise UsageError("wrong")


def test_samples_can_be_sent_to_other_processes() -> None:
    """Rank zero sends its findings by pickle."""
    table = SampleTable(pd.DataFrame({"label": ["a"], "digest": ["0"], "turns": [0]}), ("a", "b"))
    start = pickle.loads(pickle.dumps(_Start("key", table, table, "run", frozenset({1}))))
    assert start.training.class_counts() == [1, 0]
