"""Evaluation: metrics, their intervals, figures and the record of a result."""
