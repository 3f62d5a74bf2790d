"""The head: where logits and maps come from, with and without hidden layers."""

import torch
from torch import nn

from training.models.head import Head, HeadConfig

FEATURES = torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(0))


def test_without_hidden_layers_the_logit_is_the_mean_of_its_map() -> None:
    logits, activation_map = Head(HeadConfig(), 8, 3)(FEATURES)
    assert activation_map.shape == (2, 3, 3, 4)
    torch.testing.assert_close(logits, activation_map.mean(dim=(2, 3)))


def test_hidden_layers_are_dense_layers_on_the_pooled_features() -> None:
    head = Head(HeadConfig(hidden=(5, 4), dropout=0.5), 8, 3).eval()
    expected = FEATURES.mean(dim=(2, 3))
    convolutions = [layer for layer in head.layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [5, 4, 3]
    for number, layer in enumerate(convolutions):
        expected = nn.functional.linear(expected, layer.weight[:, :, 0, 0], layer.bias)
        if number < 2:
            expected = expected.relu()
    torch.testing.assert_close(head(FEATURES)[0], expected)


def test_with_hidden_layers_the_map_shows_each_position_alone() -> None:
    head = Head(HeadConfig(hidden=(5,)), 8, 3).eval()
    _, activation_map = head(FEATURES)
    alone, _ = head(FEATURES[:, :, 1:2, 2:3])
    torch.testing.assert_close(activation_map[:, :, 1, 2], alone)


def test_dropout_stands_before_the_last_layer_only() -> None:
    kinds = [type(layer).__name__ for layer in Head(HeadConfig(hidden=(5, 4), dropout=0.5), 8, 3).layers]
    assert kinds == ["Conv2d", "ReLU", "Conv2d", "ReLU", "Dropout", "Conv2d"]
