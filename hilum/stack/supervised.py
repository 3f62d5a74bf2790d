"""One server of the stack as the supervisor starts it: `python -m hilum.stack.supervised NAME`.

A server that was killed may leave children that hold its port. They are ended first, so that the
supervisor's restart works however the server died.
"""

import os
import sys

from hilum.errors import HilumError
from hilum.settings import settings
from hilum.stack.marked import MARK, end_marked, mark
from hilum.stack.services import local_services


def run(name: str) -> None:
    """End what is left of the service's last run, and run it."""
    services = {service.name: service for service in local_services(settings())}
    home = settings().home
    end_marked(home, name)
    os.environ[MARK] = mark(home, name)  # what it starts inherits the mark
    services[name].run(settings())


if __name__ == "__main__":
    try:
        run(sys.argv[1])
    except (HilumError, OSError) as error:
        sys.exit(f"Error: {error}")
