"""The command line: `algotrendy demo | backtest | optimize | report | data | ledger`.

Typer and rich are loaded when a command runs, not when this module is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from algotrendy.errors import AlgotrendyError

__all__ = ["main"]

WRONG_CALL = 2
"""Exit code for anything that the user can mend: an option, a file, an expression."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name. Default: the arguments of this process.

    Raises
    ------
    SystemExit
        Always: 0 if all went well, 2 if the call has to be mended (the message says how), 1 if the user gave up.

    Examples
    --------
    >>> try:
    ...     main(["--version"])
    ... except SystemExit as end:
    ...     end.code
    algotrendy 0.1.0
    0
    """
    from algotrendy.cli.app import app

    try:
        app(args=arguments, prog_name="algotrendy")
    except (AlgotrendyError, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"algotrendy: {error}\n")
        raise SystemExit(WRONG_CALL) from error
