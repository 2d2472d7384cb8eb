"""Names for array types and for choices that many functions share."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]
Int1D: TypeAlias = NDArray[np.int64]
Int2D: TypeAlias = NDArray[np.int64]
Bool1D: TypeAlias = NDArray[np.bool_]
Bool2D: TypeAlias = NDArray[np.bool_]
Dates1D: TypeAlias = NDArray[np.datetime64]
"""Calendar dates without a time zone, `datetime64[D]`."""
AnyArray: TypeAlias = NDArray[Any]

NanPolicy: TypeAlias = Literal["raise", "omit", "propagate"]
"""What to do about NaN: refuse it and say where, leave those rows out, or carry it into the result."""
