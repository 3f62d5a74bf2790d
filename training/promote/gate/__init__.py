"""The gate: whether a release may become champion, judged on what a real Triton would serve of it."""
