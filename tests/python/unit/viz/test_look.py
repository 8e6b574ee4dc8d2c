"""Themes: every text on every ground it stands on can be read; units and scales."""

from __future__ import annotations

import pytest

from support import raises
from vizflow.errors import ConfigError
from vizflow.viz import theme as _theme
from vizflow.viz import units


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [_theme.LIGHT, _theme.DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5(theme: dict[str, str]) -> None:
    for ground in ("ground", "surface", "raised", "empty"):
        for text in ("text", "muted", "accent"):
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
    assert contrast(theme["accent_text"], theme["accent"]) >= 4.5
    assert contrast(theme["bad"], theme["bad_ground"]) >= 4.5


@pytest.mark.parametrize("theme", [_theme.LIGHT, _theme.DARK], ids=["light", "dark"])
def test_lines_have_a_contrast_of_3_on_the_plots_ground(theme: dict[str, list[str]]) -> None:
    for colour in theme["series"]:
        assert contrast(colour, theme["surface"]) >= 3  # type: ignore[arg-type]
    assert len(set(theme["series"])) == len(theme["series"])


@pytest.mark.parametrize("theme", [_theme.LIGHT, _theme.DARK], ids=["light", "dark"])
def test_diverging_colours_are_symmetric_about_the_middle(theme: dict[str, list[str]]) -> None:
    colours = theme["diverging"]
    assert len(colours) % 2 == 1
    middle = luminance(colours[len(colours) // 2])
    sides = [
        [abs(luminance(c) - middle) for c in half]
        for half in (colours[: len(colours) // 2][::-1], colours[len(colours) // 2 + 1 :])
    ]
    for half in sides:
        assert half == sorted(half)
    for low, high in zip(*sides, strict=True):
        assert low == pytest.approx(high, abs=0.12)


def test_units() -> None:
    assert units.unit_of("alpha_bin", {"alpha": "bp"}) == units.Unit("bp", 1e4)
    assert units.unit_of("hold", {"hold": "s"}) == units.Unit("s", 1.0)
    assert units.unit_of("hold", {"hold": ("ms", 1e3)}) == units.Unit("ms", 1e3)
    assert units.unit_of("other", {"hold": "s"}) == units.Unit()
    for bad in (5, ("ms", 0), ("ms", float("nan")), ("ms",)):
        with raises(ConfigError, "units['hold']"):
            units.unit_of("hold", {"hold": bad})  # type: ignore[dict-item]


def test_a_thin_cell_does_not_stretch_the_colours() -> None:
    assert _theme.spread([(1.0, 1000), (-2.0, 1000), (50.0, 1)]) == 2.0
    assert _theme.spread([(1.0, 1), (50.0, 1)]) == 50.0
    assert _theme.spread([]) == 1.0
    assert _theme.spread([(0.0, 5)]) == 1.0
