"""The local stack: servers on this machine that are started, kept running and stopped as one."""
