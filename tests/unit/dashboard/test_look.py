"""What is written on a colour can be read, and a plot says what its axes show."""

import pytest

from dashboard.look import LABEL_COLOURS, NEUTRAL, figure, ink_colour, ink_on
from training.evaluate.palette import COLOURS


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.1."""
    channels = [int(colour[1:][place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colour", [*COLOURS, NEUTRAL])
def test_words_on_a_colour_reach_aa(colour: str) -> None:
    ink = {"black": "#000000", "white": "#FFFFFF"}[ink_on(colour)]
    assert contrast(ink, colour) >= 4.5


def test_axis_titles_can_be_read_on_white() -> None:
    assert contrast(ink_colour(), "#FFFFFF") >= 4.5


@pytest.mark.parametrize("page", ["#FFFFFF", "#191814"], ids=["light", "dark"])
@pytest.mark.parametrize("colour", [LABEL_COLOURS["no_finding"], LABEL_COLOURS["covid19"], NEUTRAL])
def test_lines_stand_out_from_the_page(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 3


def test_every_axis_has_its_title() -> None:
    plot = figure(x_title="time (UTC)", y_title="seconds")
    assert (plot.layout.xaxis.title.text, plot.layout.yaxis.title.text) == ("time (UTC)", "seconds")
