"""Lets the tests here import lightning and timm first."""

import training.train  # noqa: F401  declares operators that torchvision, which both import, expects
