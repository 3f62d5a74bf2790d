"""The classifier on top of a backbone: pooled features, dense layers, one logit per class."""

from pydantic import Field
from torch import Tensor, nn

from training.config import Section


class HeadConfig(Section):
    """The layers between the pooled features and the logits; the default is one linear layer."""

    hidden: tuple[int, ...] = ()
    """Nodes of each hidden dense layer, with ReLU, from the features up."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the last layer's inputs that is dropped in training."""


class Head(nn.Module):
    """(N, features, h, w) to logits (N, K) and activation maps (N, K, h, w).

    Dense layers are 1x1 convolutions, so that one set of weights gives both. Without hidden layers the
    logit is the mean of its map: averaging commutes with a linear layer, which makes the map the class
    activation map of Zhou et al. (2016), eq. 2. With hidden layers the logits come from the pooled
    features, as in the papers, and the map shows the logits that each position alone would give.
    """

    def __init__(self, config: HeadConfig, features: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for nodes in config.hidden:
            layers += [nn.Conv2d(features, nodes, kernel_size=1), nn.ReLU()]
            features = nodes
        if config.dropout:
            layers.append(nn.Dropout(config.dropout))
        layers.append(nn.Conv2d(features, classes, kernel_size=1))
        self.layers = nn.Sequential(*layers)
        self.is_linear = not config.hidden

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and activation maps."""
        activation_map: Tensor = self.layers(feature_map)
        if self.is_linear:
            return activation_map.mean(dim=(2, 3)), activation_map
        pooled = feature_map.mean(dim=(2, 3), keepdim=True)
        return self.layers(pooled).flatten(1), activation_map
