"""Everything algotrendy raises on purpose. Catch by what you can do about it.

AlgotrendyError
├── InputError (ValueError)      the call is wrong: fix the argument
│   ├── ExpressionError          the text of a condition is wrong: the message points at the column
│   └── CheckpointInUse          another run writes to that checkpoint: wait for it, or give another path
├── ConfigError                  the setup is wrong: fix a setting or a key
│   └── MissingExtraError        an optional dependency is not installed: the message gives the command
├── DataError                    no such series, or a file that cannot be read as one
├── RecordError                  what is stored is not as the call supposes: read it again
│   ├── NotFound                 there is no such strategy, result, job, ...
│   └── Conflict                 it changed meanwhile, or its state does not allow this
├── OrderDenied                  the limits of a portfolio do not allow it: change order or limits
├── JobStopped                   a job's handler is to end: let it pass
├── WorkerLost                   a piece of work ended the process or the machine that computed it
└── VenueError                   the outside world failed
    ├── VenueUnavailable         nothing happened: safe to retry
    │   └── RateLimited          too many requests: the message says how long to wait
    ├── AccessRefused            the key is missing, wrong, or does not cover what was asked for
    ├── BadAnswer                what came back cannot be read as what was asked for
    └── OutcomeUnknown           it may have happened: look before you repeat it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class AlgotrendyError(Exception):
    """The root of every error that algotrendy raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes whole, whatever the arguments an error is made of."""
        return (_arrived, (type(self), self.args, dict(self.__dict__)))


class InputError(AlgotrendyError, ValueError):
    """The call is wrong: fix the argument that the message names."""


class ExpressionError(InputError):
    """The text of a condition cannot be understood.

    Attributes
    ----------
    text : str
        The whole expression as it was given.
    column : int
        Where the trouble starts, counted from 0.
    """

    def __init__(self, message: str, text: str, column: int) -> None:
        pointer = " " * column + "^"
        super().__init__(f"{message} (column {column + 1})\n  {text}\n  {pointer}")
        self.text, self.column = text, column


class CheckpointInUse(InputError):  # noqa: N818 - reads as what is the case, like the others below
    """Another run is writing to the checkpoint: wait for it, or give another path."""


class ConfigError(AlgotrendyError):
    """The setup is wrong: fix a setting, a key or a folder."""


class MissingExtraError(ConfigError):
    """An optional dependency is not installed.

    Attributes
    ----------
    package, extra : str
        What is missing, and the extra of algotrendy that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs {package}, which is not installed; run: pip install 'algotrendy[{extra}]'")
        self.package, self.extra = package, extra


class DataError(AlgotrendyError):
    """There is no such series, or the file cannot be read as one."""


class RecordError(AlgotrendyError):
    """What is stored is not as the call supposes: read it again, then decide."""


class NotFound(RecordError):  # noqa: N818 - reads as what is the case, like the others
    """There is no such record: it was never made, or it was deleted."""


class Conflict(RecordError):  # noqa: N818
    """The record changed since it was read, or its state does not allow what was asked for."""


class OrderDenied(AlgotrendyError):  # noqa: N818 - reads as what is the case
    """The limits of a portfolio do not allow an order; it was not sent."""


class JobStopped(AlgotrendyError):  # noqa: N818
    """A handler of jobs is to end now; let it pass, the worker knows what to do.

    Attributes
    ----------
    reason : {"cancelled", "lease lost", "worker stops"}
        Somebody cancelled the job; or another worker has it, so what this one does counts no more; or this worker was
        told to stop, and the job goes back to the queue.
    """

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"{job_id} is to end: {reason}")
        self.job_id, self.reason = job_id, reason


class WorkerLost(AlgotrendyError):  # noqa: N818 - reads as what is the case
    """A chunk of work took its worker down again and again.

    Attributes
    ----------
    chunk : int
        Its position among the chunks, from 0.
    attempts : int
        How often it was begun.
    """

    def __init__(self, chunk: int, n_chunks: int, attempts: int, why: str) -> None:
        super().__init__(
            f"chunk {chunk} of {n_chunks} (counted from 0) was begun {attempts} times and each time its worker was "
            f"lost: {why}; give it less to do at once, more memory, or look for a crash in what it calls"
        )
        self.chunk, self.n_chunks, self.attempts, self.why = chunk, n_chunks, attempts, why


class VenueError(AlgotrendyError):
    """The outside world failed: a data vendor, a broker, a chain.

    Attributes
    ----------
    venue : str
        The name of the provider or broker, such as `polygon`.
    """

    def __init__(self, venue: str, message: str) -> None:
        super().__init__(f"{venue}: {message}")
        self.venue = venue


class VenueUnavailable(VenueError):  # noqa: N818 - reads as what is the case, like the others of its branch
    """Nothing happened: the venue is down, slow or unreachable. Safe to retry."""


class RateLimited(VenueUnavailable):
    """The venue refuses more requests for a while.

    Attributes
    ----------
    retry_after_seconds : float or None
        How long the venue asks to wait; None if it did not say.
    """

    def __init__(self, venue: str, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(venue, message)
        self.retry_after_seconds = retry_after_seconds


class AccessRefused(VenueError):  # noqa: N818
    """The key is missing, wrong, or does not cover what was asked for."""


class BadAnswer(VenueError):  # noqa: N818
    """What came back cannot be read as what was asked for; nothing of it was kept."""


class OutcomeUnknown(VenueError):  # noqa: N818
    """The connection broke at the decisive moment: it may have happened or not. Look before you repeat it."""


def _arrived(kind: type[AlgotrendyError], texts: tuple[Any, ...], facts: dict[str, Any]) -> AlgotrendyError:
    error = kind.__new__(kind, *texts)
    error.__dict__.update(facts)
    return error
