"""The average of the weights, against its formula worked step by step."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from training.train.callbacks import weight_averaging


def test_a_short_run_forgets_its_random_start() -> None:
    callback = weight_averaging(0.99)
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(100.0)
    averaged = AveragedModel(model, **callback._kwargs)
    averaged.update_parameters(model)  # the first update copies
    with torch.no_grad():
        model.weight.fill_(0.0)
    expected = 100.0
    for n in range(1, 30):
        averaged.update_parameters(model)
        expected *= min(0.99, (1 + n) / (10 + n))
    (weight,) = averaged.module.parameters()
    assert weight.item() == pytest.approx(expected, rel=1e-4)
    assert expected < 0.1, "a fixed decay of 0.99 would still hold 75 % of the start"


def test_counters_of_batch_normalisation_are_taken_over() -> None:
    callback = weight_averaging(0.9)
    averaged = AveragedModel(nn.BatchNorm1d(2), use_buffers=True, **callback._kwargs)
    model = nn.BatchNorm1d(2)
    for _ in range(3):
        model(torch.randn(4, 2))
        averaged.update_parameters(model)
    assert averaged.module.num_batches_tracked == 3


def test_a_long_run_averages_with_the_recipes_decay() -> None:
    callback = weight_averaging(0.5)
    averaged = callback._kwargs["avg_fn"](torch.tensor(1.0), torch.tensor(0.0), torch.tensor(1000))
    assert averaged.item() == pytest.approx(0.5)
