"""What every test shares."""

from hypothesis import HealthCheck, settings

# A busy machine is slow now and then: that is no fault of the code under test.
settings.register_profile("hilum", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hilum")
