"""A share as a bar, in HTML: light enough for many on a page, and readable by a screen reader."""

from html import escape

NAME_ROW = "display:flex;justify-content:space-between"
TRACK = "position:relative;height:14px;border-radius:3px;background:rgba(128,128,128,.25)"
FILL = "height:100%;border-radius:3px"
LINE = "position:absolute;top:-3px;bottom:-3px;width:3px;background:currentColor"


def bar(name: str, share: float, *, threshold: float | None, colour: str) -> str:
    """Return a bar of a share in [0, 1], with its name and percentage above it.

    Args:
        name: what the share is of.
        share: in [0, 1].
        threshold: where an upright line stands, in [0, 1]; None for no line.
        colour: of the bar, as CSS.
    """
    percent = 100 * min(max(share, 0.0), 1.0)
    said = f"{escape(name, quote=True)}: {percent:.0f} %"
    line = "" if threshold is None else f'<div style="{LINE};left:{100 * threshold:.1f}%"></div>'
    return (
        f'<div style="{NAME_ROW}"><span>{escape(name)}</span><span>{percent:.0f} %</span></div>'
        f'<div style="{TRACK}" role="img" aria-label="{said}">'
        f'<div style="{FILL};width:{percent:.1f}%;background:{colour}"></div>{line}</div>'
    )
