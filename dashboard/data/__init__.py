"""Data and drift: what was tested on, and whether what arrives has changed."""
