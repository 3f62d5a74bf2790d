"""Data sets: metadata, checks, synthetic radiographs, the decoded cache, training samples."""
