"""The colours of charts: each has a light and a dark face.

A figure is written with the light colours and looks right anywhere on white. A page that is shown dark swaps each
colour for its dark face.
"""

from __future__ import annotations

ACCENT = "#2557c7"
MUTED = "#98a1b0"
INK = "#55606f"
GAIN = "#0a7d5a"
LOSS = "#c0392f"
GRID = "#e4e7ec"

DARK_FACES = {
    ACCENT: "#7fa8ff",
    MUTED: "#78839a",
    INK: "#a7b1c2",
    GAIN: "#3fcb98",
    LOSS: "#ff8275",
    GRID: "#2a313d",
}


def translucent(color: str, opacity: float) -> str:
    """Return a colour of this palette as `rgba(r,g,b,opacity)`, the way fills are written.

    Examples
    --------
    >>> translucent("#ff0000", 0.2)
    'rgba(255,0,0,0.2)'
    """
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def ground_of(heat: float | None) -> str | None:
    """Return the ground of a cell on white: the colour of gains or of losses, the paler the nearer its heat is to 0.

    Examples
    --------
    >>> ground_of(0.0), ground_of(-1.0)
    (None, '#e09c97')
    """
    if not heat:
        return None
    ink, share = (GAIN if heat > 0 else LOSS), 0.5 * abs(heat)
    channels = (int(ink[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(share * channel + (1.0 - share) * 255):02x}" for channel in channels)


def dark_swaps() -> dict[str, str]:
    """Return the dark face of every colour that a figure of ours may hold, fills with their opacity included."""
    opacities = (0.08, 0.12, 0.18, 0.25, 0.55)
    fills = {
        translucent(light, opacity): translucent(dark, opacity)
        for light, dark in DARK_FACES.items()
        for opacity in opacities
    }
    return DARK_FACES | fills
