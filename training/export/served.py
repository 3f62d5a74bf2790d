"""The networks as they are served: contract names, probabilities instead of logits, decisions inside."""

import torch
from torch import Tensor, nn

from training.models.network import RadiographNetwork


class ServedFilter(nn.Module):
    """Radiographs to the probability of being valid, and the decision."""

    def __init__(self, network: RadiographNetwork, threshold: float, temperature: float = 1.0) -> None:
        """Wrap a network.

        Args:
            network: of the classes non_valid and valid.
            threshold: probability of being valid from which an image is accepted.
            temperature: divides the logits (Guo et al. 2017, eq. 9); 1 leaves them as they are.
        """
        super().__init__()
        self.network = network
        self.temperature = temperature
        self.threshold: Tensor
        self.register_buffer("threshold", torch.tensor(threshold, dtype=torch.float32))

    def forward(self, radiograph: Tensor) -> tuple[Tensor, Tensor]:
        """Return valid_probability (N, 1) float32 and accepted (N, 1) bool of (N, 1, 256, 256) uint8."""
        probability = (self.network(radiograph).logits / self.temperature).softmax(dim=1)[:, 1:]
        return probability, probability >= self.threshold


class ServedClassifier(nn.Module):
    """Accepted radiographs to probabilities, activation maps and embeddings.

    The gate that skips rejected rows is added to the exported graph: torch has no operator whose
    output has as many rows as a mask has ones that also exports with a dynamic batch.
    """

    def __init__(self, network: RadiographNetwork, temperature: float = 1.0) -> None:
        """Wrap a network of the contract's labels; `temperature` as in `ServedFilter`."""
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, radiograph: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities (M, K), activation_map (M, K, h, w), embedding (M, D), all float32."""
        output = self.network(radiograph)
        return (output.logits / self.temperature).softmax(dim=1), output.activation_map, output.embedding
