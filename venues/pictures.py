"""What pages that stand alone share: their style, and figures as the text of SVG elements.

Each figure is drawn for a wide screen and again for a telephone's.
"""

import io
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NARROW_IN = 3.7
"""A telephone's screen of 390 points, less the margins: a picture made for it is not shrunk, nor its text."""
_NARROW_BELOW_IN = 5.0


def page_style() -> str:
    """The CSS of a report: headings, tiles, tables, and which of a figure's two drawings is shown."""
    return files("venues").joinpath("templates", "page.css").read_text("utf-8")


def draw_both(
    width_in: float, height_in: float, paint: Callable[["Figure"], None], narrow_in: float
) -> tuple[str, str]:
    """A figure drawn for a wide page, and again for a narrow one, ``narrow_in`` high."""
    return draw_svg(width_in, height_in, paint), draw_svg(NARROW_IN, narrow_in, paint)


def is_narrow(figure: "Figure") -> bool:
    """Whether a figure is being drawn for a telephone."""
    return bool(figure.get_figwidth() < _NARROW_BELOW_IN)


def draw_svg(width_in: float, height_in: float, paint: Callable[["Figure"], None]) -> str:
    """A figure as the text of an SVG element; the same figure, the same text."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 9.0,
        "svg.hashsalt": f"atrium {width_in}",  # ids of the drawing that a page hides must not be those of the shown
        "svg.fonttype": "path",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with rc_context(style):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
