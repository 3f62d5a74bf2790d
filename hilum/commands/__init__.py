"""The commands that run servers on this machine, and say how they are."""
