"""Losses of the recipes, and the class weights they use."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from training.config import Section


class LossConfig(Section):
    """What is minimised."""

    name: Literal["cross_entropy", "icapuc"] = "cross_entropy"
    """`icapuc` also penalises each wrong class on its own: equation 2 of arXiv 2009.01657."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread over all classes (alpha)."""
    class_weights: Literal["none", "rarer_more", "as_printed"] = "none"
    """`rarer_more`: N_max / N_c, as ICA-PUC's code has it. `as_printed`: N_c / N_max, as its equation 1."""


def class_weights(config: LossConfig, counts: Sequence[int]) -> Tensor:
    """Return (K,) float32 weights for the number of training images of each class.

    `rarer_more` gives the commonest class 1 and a class with half as many images 2. The paper prints
    the inverse of this ratio, which weighs rare classes less than common ones and contradicts its text.
    """
    n = torch.tensor(counts, dtype=torch.float32)
    if config.class_weights == "rarer_more":
        return n.max() / n
    if config.class_weights == "as_printed":
        return n / n.max()
    return torch.ones_like(n)


class IcapucLoss(nn.Module):
    """Cross-entropy that also pushes the other classes down.

    L = -sum_c [y_c log(p_c) w_c + (1 - y_c) log(1 - p_c)], y the smoothed target
    (arXiv 2009.01657, equation 2, with the sign of a loss).
    """

    def __init__(self, weight: Tensor, label_smoothing: float) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", weight, persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the batch of (N, K) float32 logits and (N,) int64 targets."""
        classes = logits.shape[1]
        smoothed = functional.one_hot(targets, classes) * (1 - self.label_smoothing)
        smoothed = smoothed + self.label_smoothing / classes
        log_p = functional.log_softmax(logits.float(), dim=1)
        # log(1 - p_c) is the log-sum-exp of the other classes' log-probabilities: exact where p_c is near 1
        others = log_p.unsqueeze(1).expand(-1, classes, -1)
        itself = torch.eye(classes, dtype=torch.bool, device=logits.device)
        log_not_p = others.masked_fill(itself, -torch.inf).logsumexp(dim=2)
        return -(smoothed * log_p * self.weight + (1 - smoothed) * log_not_p).sum(dim=1).mean()


def build_loss(config: LossConfig, counts: Sequence[int]) -> nn.Module:
    """Return the loss of a recipe for the given number of training images of each class."""
    weight = class_weights(config, counts)
    if config.name == "icapuc":
        return IcapucLoss(weight, config.label_smoothing)
    return nn.CrossEntropyLoss(weight=weight, label_smoothing=config.label_smoothing)


def mean_weight(loss: nn.Module, targets: Tensor) -> Tensor:
    """Return what the loss's mean over (N,) targets divides by: their class weights' sum, or N.

    With it the means over parts of a batch are put together to the mean over the batch.
    """
    if isinstance(loss, nn.CrossEntropyLoss) and loss.weight is not None:
        return loss.weight[targets].sum()
    return torch.tensor(float(len(targets)), device=targets.device)
