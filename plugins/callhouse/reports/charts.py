"""The report's charts as PNG bytes."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

from callhouse.reports.phrases import PHRASES

if TYPE_CHECKING:
    from decimal import Decimal

    from callhouse.reports.data import HalfHour

WIDTH_PX = 592  # of the card in the mail; the picture has twice as many pixels for sharp screens
ANSWERED, ABANDONED, OTHER, LEVEL = "#2f6db3", "#d1495b", "#b9c2cc", "#e08e0b"
INK, LINE = "#41505f", "#e3e7ec"
LABELS = 13  # times along the axis at most

# Font families that hold Chinese, by the start of their names. Without one the chart's text stays English:
# matplotlib would draw an empty box for each character.
CJK_FAMILIES = (
    "Noto Sans CJK",
    "Noto Sans SC",
    "Source Han Sans",
    "WenQuanYi",
    "Microsoft YaHei",
    "PingFang",
    "Hiragino Sans GB",
    "Heiti",
    "SimHei",
    "Droid Sans Fallback",
)


@cache
def cjk_font() -> str | None:
    """The family of an installed font with Chinese characters, if there is one."""
    from matplotlib import font_manager

    names = sorted(font_manager.get_font_names())
    return next((name for family in CJK_FAMILIES for name in names if name.startswith(family)), None)


def half_hour_chart(half_hours: tuple[HalfHour, ...], target: Decimal | None, language: str) -> bytes:
    """The service level as a line over bars of the offered calls, split into answered, abandoned and other.

    A half-hour without a service level leaves a gap in the line. White ground, so that it reads in
    dark mode too.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    font = cjk_font()
    families = ["DejaVu Sans", *([font] if font else [])]

    def words(key: str) -> str:
        english, chinese = PHRASES[key]
        if language == "en" or font is None:
            return english
        return chinese if language == "zh" else f"{english} {chinese}"

    with rc_context({"font.family": families, "font.size": 8, "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(WIDTH_PX / 100, 2.9), dpi=200, layout="constrained", facecolor="white")
        level, bars = figure.subplots(2, sharex=True, height_ratios=(1, 2))
        x = range(len(half_hours))

        levels = [
            float("nan") if half.service_level is None else float(half.service_level) for half in half_hours
        ]
        level.plot(
            x, levels, color=LEVEL, marker="o", markersize=2.6, linewidth=1.4, label=words("service_level")
        )
        if target is not None:
            level.axhline(
                float(target), color=LEVEL, linewidth=0.8, linestyle=(0, (4, 3)), label=words("target")
            )
        level.set_ylim(-0.05, 1.05)
        level.set_yticks([0, 0.5, 1])
        level.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))

        bottom = [0] * len(half_hours)
        for key, colour in (("answered", ANSWERED), ("abandoned", ABANDONED), ("other", OTHER)):
            heights = [getattr(half, key) for half in half_hours]
            if key == "other" and not any(heights):
                continue
            bars.bar(x, heights, bottom=bottom, width=0.78, color=colour, label=words(key), linewidth=0)
            bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
        bars.set_ylim(0, max(1, *bottom) * 1.08)
        bars.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        labelled = list(x)[:: max(1, -(-len(half_hours) // LABELS))]
        bars.set_xticks(labelled, [f"{half_hours[i].start_at:%H:%M}" for i in labelled])

        for axes in (level, bars):
            axes.grid(axis="y", color=LINE, linewidth=0.7)
            axes.set_axisbelow(True)
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0, colors=INK)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 0.98), ncols=3, frameon=False, handlelength=1.3)
        png = io.BytesIO()
        figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
