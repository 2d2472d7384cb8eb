"""Work over many cores or a cluster: progress, cancelling, retries, equal results wherever and on however many."""

from algotrendy.compute.background import wait_for
from algotrendy.compute.journal import Journal, Record
from algotrendy.compute.pool import Cancel, Executor, Mapped, executor_of, map_work, worker_count
from algotrendy.compute.progress import Estimate, Progress, progress_for

__all__ = [
    "Cancel",
    "Estimate",
    "Executor",
    "Journal",
    "Mapped",
    "Progress",
    "Record",
    "executor_of",
    "map_work",
    "progress_for",
    "wait_for",
    "worker_count",
]
