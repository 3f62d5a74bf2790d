"""Examine: pictures in, answers in plain words out."""
