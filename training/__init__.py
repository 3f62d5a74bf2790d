"""The offline half: everything that makes a model and releases it."""
