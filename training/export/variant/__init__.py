"""Variants of a registered network in another precision, each proven to decide as the original does."""
