"""Work over many cores: progress, cancelling, equal results for any number of workers."""

from algotrendy.compute.background import wait_for
from algotrendy.compute.pool import Mapped, map_chunks, worker_count
from algotrendy.compute.progress import Progress, progress_for

__all__ = ["Mapped", "Progress", "map_chunks", "progress_for", "wait_for", "worker_count"]
