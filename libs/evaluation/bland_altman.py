"""The plot of Bland and Altman 1986 (Lancet 327:307): difference against mean, with bias and limits."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.metrics import Agreement
from evaluation.windows import Row


def bland_altman(rows: Sequence[Row], quantity: str, unit: str, found: Agreement) -> bytes:
    """The plot as a PNG.

    Parameters
    ----------
    rows : sequence of Row
        Those that were answered and have a truth are drawn.
    quantity, unit : str
    found : Agreement
        Of the same rows.

    Raises
    ------
    ValueError
        If nothing can be drawn.
    """
    drawn = [row for row in rows if row.quantity == quantity and row.answered and math.isfinite(row.truth)]
    if not drawn or found.bias.value is None:
        raise ValueError(f"no answered window has a true {quantity}")
    figure = Figure(figsize=(7, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(
        [(row.value + row.truth) / 2 for row in drawn], [row.value - row.truth for row in drawn],
        linestyle="none", marker=".", markersize=4, alpha=0.5, color="#8c1c13",
    )  # fmt: skip
    for one, style, label in (
        (found.bias, "-", "bias"),
        (found.limit_low, "--", "limits of agreement"),
        (found.limit_high, "--", None),
    ):
        if one.value is not None:
            axes.axhline(one.value, linestyle=style, color="#222222", linewidth=1, label=label)
            error = one.standard_error or 0.0
            axes.axhspan(one.value - 1.96 * error, one.value + 1.96 * error, color="#222222", alpha=0.08)
    name = quantity.replace("_", " ")
    axes.set_xlabel(f"mean of measured and true {name} ({unit})")
    axes.set_ylabel(f"measured minus true ({unit})")
    axes.set_title(f"{name}: {found.n} windows of {found.clusters} recordings or subjects, bands: 95 %")
    axes.legend(loc="upper right")
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
