"""Work that outlives the process that asked for it: a durable queue, and workers that do what stands in it.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.jobs.context import JobContext
    from algotrendy.jobs.queue import Backoff, JobQueue
    from algotrendy.jobs.worker import Worker
    from algotrendy.storage.jobs import Job, JobStatus

__all__ = ["Backoff", "Job", "JobContext", "JobQueue", "JobStatus", "Worker"]

_HOMES = {
    "Backoff": ".queue",
    "Job": "algotrendy.storage.jobs",
    "JobContext": ".context",
    "JobQueue": ".queue",
    "JobStatus": "algotrendy.storage.jobs",
    "Worker": ".worker",
}

__getattr__ = lazy_names(__name__, _HOMES)
