"""The only modules here that read anything: each source is bounded in time and fails with a sentence."""
