"""Finds, starts and extends NVIDIA's `tritonserver` on a machine without Docker or GPU."""
