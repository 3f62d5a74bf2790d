"""Releases: which one answers, on what evidence, and the decision beside it."""
