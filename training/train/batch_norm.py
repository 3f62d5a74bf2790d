"""Batch normalisation over the images of all processes, so that their number does not change a network."""

import torch
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, distributed, nn
from typing_extensions import override


def share_batch_norm(network: nn.Module, *, on_gpu: bool) -> None:
    """Make each batch normalisation within `network` use the images of all processes, in place.

    The names of weights and buffers stay. On GPUs it is torch's own SyncBatchNorm, which has kernels for
    nothing else; on CPUs `SharedBatchNorm`.
    """
    if on_gpu:
        # timm's: torch's own would drop the activations that timm's layers hold
        convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # timm has no types there
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, SharedBatchNorm(child))


class SharedBatchNorm(nn.BatchNorm2d):
    """Normalises by mean and variance over the images of all processes (arXiv 1502.03167, algorithm 1)."""

    def __init__(self, original: nn.BatchNorm2d) -> None:
        """Take over the weights and buffers of `original`, and the activation of a timm layer."""
        super().__init__(original.num_features, original.eps, original.momentum)
        self.weight, self.bias = original.weight, original.bias
        self.running_mean, self.running_var = original.running_mean, original.running_var
        self.num_batches_tracked = original.num_batches_tracked
        self.training = original.training
        held = ("drop", "act") if isinstance(original, BatchNormAct2d) else ()
        self.after = nn.Sequential(*map(original.get_submodule, held))

    @override
    def forward(self, input: Tensor) -> Tensor:
        """Return (N, C, H, W) normalised, and move the running statistics while training."""
        if not self.training:
            return self._activated(super().forward(input))
        images = input.float()
        n = images.new_full((1,), images.numel() / self.num_features)
        sums = _summed(torch.cat([images.sum(dim=(0, 2, 3)), n]))
        mean, total = sums[:-1] / sums[-1], sums[-1]
        centred = images - mean.view(1, -1, 1, 1)
        variance = _summed(centred.square().sum(dim=(0, 2, 3))) / total
        self._track(mean.detach(), (variance * total / (total - 1)).detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        normalised = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return self._activated(normalised.to(input.dtype))

    def _activated(self, normalised: Tensor) -> Tensor:
        activated: Tensor = self.after(normalised)
        return activated

    def _track(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_variance, self.momentum)


def _summed(tensor: Tensor) -> Tensor:
    total: Tensor = _SumOverProcesses.apply(tensor)  # type: ignore[no-untyped-call]  # torch has no types there
    return total


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:  # noqa: ARG004  torch's signature
        total = tensor.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # noqa: ARG004  torch's signature
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total
