"""Evaluation: how good a network is, on whom, and whether another one is better."""
