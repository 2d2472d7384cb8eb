"""Random numbers by counting equal the published vectors of Philox4x32 with ten rounds.

Source: the file `kat_vectors` of the library Random123 (D. E. Shaw Research), lines `philox4x32 10`.
"""

from __future__ import annotations

import numpy as np
import pytest

from algotrendy.kernels.random import philox_words

VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def _words(text: str) -> np.ndarray:
    return np.array([[int(word, 16) for word in text.split()]], dtype=np.uint32)


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_philox_gives_the_published_words(counter: str, key: str, expected: str) -> None:
    out = np.empty((1, 4), dtype=np.uint32)
    philox_words(_words(counter), _words(key), out)
    assert out.tolist() == _words(expected).tolist()
