"""The losses against hand-worked cases and torch's own."""

import math

import pytest
import torch
from torch.nn import functional

from training.train.losses import IcapucLoss, LossConfig, build_loss, class_weights


def test_rarer_classes_weigh_more_as_the_code_has_it() -> None:
    weights = class_weights(LossConfig(class_weights="rarer_more"), [100, 50, 25])
    assert weights.tolist() == [1.0, 2.0, 4.0]


def test_the_printed_equation_weighs_rarer_classes_less() -> None:
    weights = class_weights(LossConfig(class_weights="as_printed"), [100, 50, 25])
    assert weights.tolist() == [1.0, 0.5, 0.25]


def test_icapuc_loss_equals_equation_2_worked_by_hand() -> None:
    p = (0.7, 0.2, 0.1)
    smoothed = (0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3)
    weights = (1.0, 2.0, 4.0)
    expected = -sum(
        y * math.log(q) * w + (1 - y) * math.log(1 - q) for y, q, w in zip(smoothed, p, weights, strict=True)
    )
    logits = torch.tensor([p]).log()
    loss = IcapucLoss(torch.tensor(weights), label_smoothing=0.1)(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_icapuc_loss_stays_finite_where_the_network_is_certain() -> None:
    logits = torch.tensor([[200.0, 0.0, -200.0]], requires_grad=True)
    loss = IcapucLoss(torch.ones(3), label_smoothing=0.0)(logits, torch.tensor([0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_cross_entropy_is_torchs_with_weights_and_smoothing() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(8, 3), torch.randint(0, 3, (8,))
    config = LossConfig(label_smoothing=0.1, class_weights="rarer_more")
    expected = functional.cross_entropy(
        logits, targets, weight=torch.tensor([1.0, 2.0, 4.0]), label_smoothing=0.1
    )
    assert torch.equal(build_loss(config, [100, 50, 25])(logits, targets), expected)
