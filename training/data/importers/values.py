"""Reads the small values that every publisher writes in its own way: view, sex, age."""

import re

_AGE = re.compile(r"0*(\d{1,3})(?:\.0*)?Y?")
"""Whole years: `58`, `58.0`, and DICOM's `058Y`."""

_OLDEST = 120
"""Years; NIH's table has ages above 400, which are typing errors."""


def view_of(text: str) -> str:
    """Return PA, AP, lateral or unknown for a view such as `AP Supine`, `PA` or `L`."""
    words = text.upper().split()
    if not words:
        return "unknown"
    if words[0] in ("PA", "AP"):
        return words[0]
    return "lateral" if words[0] in ("L", "LL", "RL", "LATERAL") else "unknown"


def sex_of(text: str) -> str:
    """Return M or F for `M`, `Male`, `f` and their like; empty for all else."""
    initial = text.strip().upper()[:1]
    return initial if initial in ("M", "F") else ""


def age_of(text: str) -> str:
    """Return an age in whole years; empty where it is not one number or impossible."""
    match = _AGE.fullmatch(text.strip().upper())
    return match[1] if match and int(match[1]) <= _OLDEST else ""
