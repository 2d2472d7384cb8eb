"""A process that reserves: run by the test of several processes.

`python -m tests.contract.reservation_worker URL SCHEMA PORTFOLIO FIRST STEP END` prints how many were approved.
"""

from __future__ import annotations

import sys

from algotrendy.storage import Database, SqlReservations
from tests.contract.test_reservations import BOOK, LIMITS, lot


def main() -> None:
    """Reserve every so many orders and say how many were approved."""
    url, schema, portfolio, *numbers = sys.argv[1:]
    store = SqlReservations(Database(url, schema=schema or None))
    found = [
        store.reserve(portfolio, lot(number), book=BOOK, limits=LIMITS)
        for number in range(*[int(numbers[i]) for i in (0, 2, 1)])
    ]
    sys.stdout.write(f"{sum(one.approved for one in found)}\n")


if __name__ == "__main__":
    main()
