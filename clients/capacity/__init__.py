"""From measured service times to replicas: how many a rate of images needs, and what gives way first."""
