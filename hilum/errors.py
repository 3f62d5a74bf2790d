"""The root of every error that Hilum raises on purpose.

    HilumError                      exit 1: the work failed, the message says why
    |-- UsageError                  exit 2: an argument, a setting or a file of the caller's is wrong
    |-- PartialFailureError         exit 3: some items failed, the others are done
    |-- ServiceUnreachableError     exit 4: a server does not answer
    `-- RadiographError             exit 1: bytes that are no radiograph (hilum.radiograph)

Each package adds its own classes below these. A message is a sentence for the person
who must act: what was expected, what was found, and what to do next.
"""


class HilumError(Exception):
    """Base of all errors that the command line prints as one sentence."""

    exit_code = 1
    """The process's exit status when this error ends a command."""


class UsageError(HilumError):
    """Something that the caller gave is wrong and can be mended by the caller."""

    exit_code = 2


class PartialFailureError(HilumError):
    """Some items of a batch failed; each was reported, and the others are done."""

    exit_code = 3

    def __init__(self, failed: int, total: int, what: str) -> None:
        super().__init__(f"{failed} of {total} {what} failed; each is listed above, the others are done.")
        self.failed = failed
        self.total = total


class ServiceUnreachableError(HilumError):
    """A server does not answer at its address."""

    exit_code = 4

    def __init__(self, service: str, address: str, remedy: str) -> None:
        super().__init__(f"{service} does not answer at {address}. {remedy}")
        self.service = service
        self.address = address
