"""Arithmetic compiled by Numba: arrays and scalars in, arrays out. Knows no pandas, dates, symbols, input or output.

The functions that users call, in the rooms above, own the meaning: units, checks, frames, documentation.
"""
