"""What every test shares."""

import signal

from hypothesis import HealthCheck, settings

# A busy machine is slow now and then: that is no fault of the code under test.
settings.register_profile("hilum", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hilum")

# A shell's background job inherits an ignored Ctrl-C, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
