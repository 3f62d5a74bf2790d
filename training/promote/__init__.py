"""Releases: pinned sets of versions, the champion alias, and the rollout to Triton."""
