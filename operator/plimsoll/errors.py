"""Every error Plimsoll raises itself, split by what the caller does about it.

    PlimsollError
    +-- TryAgain            the world was in the way; try again after `delay_s`
    |   +-- ClusterUnavailable      the API server did not answer, or answered 5xx/429
    |   +-- MetricsUnavailable      Prometheus did not answer, or answered with an error
    |   +-- WriteConflict           somebody else wrote first; look again
    |   +-- NotLeading              another replica writes now, or this one is stopping
    +-- Refuse              this one object cannot be worked with until somebody changes it
    |   +-- InvalidObject           a spec that the models do not accept
    |   +-- UnusableMeasurements    a measurement file that makes no sense, or says too little
    |   +-- WriteRefused            the API server says no
    |   |   +-- Forbidden                   the operator's role does not allow it
    |   +-- NotFound                the object, or its kind, is not there
    +-- InvalidSettings     the process is set up wrongly; it must not start

Anything else that escapes is a bug, is logged with its traceback, and never stops the loop.
"""


class PlimsollError(Exception):
    """Base of every error raised on purpose."""


class TryAgain(PlimsollError):
    """The world was in the way; the same call may succeed after `delay_s` seconds."""

    def __init__(self, message: str, *, delay_s: float = 10.0) -> None:
        super().__init__(message)
        self.delay_s = delay_s


class ClusterUnavailable(TryAgain):
    """The API server did not answer in time, or answered with a server error."""


class MetricsUnavailable(TryAgain):
    """Prometheus did not answer in time, or answered with an error."""


class WriteConflict(TryAgain):
    """Somebody else changed the object between our look and our write."""


class NotLeading(TryAgain):
    """This replica may not write at this moment; nothing was written."""


class Refuse(PlimsollError):
    """One object cannot be worked with until somebody changes it; the others go on."""


class InvalidObject(Refuse):
    """A spec that the models do not accept; the message names the field, its value and what to change."""


class UnusableMeasurements(Refuse):
    """Measurements that make no sense or say too little; the message names file and line, and what to change."""


class WriteRefused(Refuse):
    """The API server refuses a request for good: missing permission or admission."""


class Forbidden(WriteRefused):
    """The operator's role does not allow the request; an admission policy may answer like this as well."""


class NotFound(Refuse):
    """The object is not there, or the API server does not know its kind."""


class InvalidSettings(PlimsollError):
    """The process is set up wrongly; the message names the setting and what to change."""
