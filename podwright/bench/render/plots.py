"""Plots as SVG, by matplotlib (the optional extra `bench`). The same report gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from podwright.bench.render.tables import condition_words, number, shown_unit
from podwright.bench.results import BenchReport, Measurement
from podwright.errors import FailedPrecondition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

COLOURS = ("#1f77b4", "#17a2b8", "#7fb3d5", "#d62728", "#ff9f1c", "#2ca02c", "#9467bd", "#8c564b")
MIB = 1024 * 1024
STYLE: dict[RcKeyType, object] = {
    "svg.hashsalt": "podwright",  # the same ids in every run
    "svg.fonttype": "none",  # text stays text
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}
Panel = tuple[str, str, str, str]  # suite, name, the condition on the x axis, title
GROWTH: tuple[Panel, ...] = (
    ("start", "pods/s", "concurrency", "pods per second, by pods at once"),
    ("density", "pod start", "pods", "start of one more pod"),
    ("relist", "CPU of a relist each second", "pods", "CPU of a relist each second"),
    ("density", "monitors' PSS per pod", "pods", "monitors' memory per pod"),
    ("density", "daemon PSS", "pods", "the daemon's memory"),
)
MORE: tuple[Panel, ...] = (
    ("relist", "relist", "pods", "relist"),
    ("density", "ExecSync", "pods", "ExecSync beside other pods"),
    ("density", "teardown", "pods", "teardown beside other pods"),
    ("density", "container start", "containers", "one more container in a pod"),
    ("exec", "ExecSync/s", "concurrency", "ExecSync per second"),
    ("exec", "exec stream/s", "concurrency", "streamed exec per second"),
    ("pull", "pull", "image", "pull and unpack, by image"),
    ("pull", "list images", "images", "list images"),
    ("lifecycle", "pod start", "at_once", "pod start, all at once"),
    ("lifecycle", "daemon restart", "pods", "daemon restart under pods"),
)


def check_available() -> None:
    """Raises FailedPrecondition if the plotting library is missing."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415 # optional, and slow to import
    except ImportError as missing:
        hint = "pip install 'podwright[bench]', or write --json only"
        raise FailedPrecondition("plots need matplotlib, which is not installed", hint=hint) from missing


def overview(report: BenchReport) -> str:
    """One SVG with the most important plots."""
    panels = [panel for panel in GROWTH if _has(report, panel)]
    return _figure(report, [_bars, *(_curve_of(panel) for panel in panels)])


def everything(report: BenchReport) -> list[str]:
    """The overview, the distributions, and all other plots of growth."""
    drawings = [_curve_of(panel) for panel in MORE if _has(report, panel)]
    return [overview(report), _figure(report, [_distribution(1), _distribution(4)]), _figure(report, drawings)]


def _figure(report: BenchReport, drawings: Sequence[Callable[[Axes, BenchReport], None]]) -> str:
    check_available()
    from matplotlib import rc_context  # noqa: PLC0415 # optional, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns = min(3, max(1, len(drawings)))
    rows = -(-len(drawings) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6 * columns, 2.7 * rows + 0.4), layout="constrained")
        for index, draw in enumerate(drawings):
            draw(figure.add_subplot(rows, columns, index + 1), report)
        _legend(figure, report)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "podwright bench"})
    return out.getvalue()


def _legend(figure: Figure, report: BenchReport) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 # optional, and slow to import

    handles = [Patch(color=_colour(index), label=target.name) for index, target in enumerate(report.targets)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)), frameon=False)


def _bars(axes: Axes, report: BenchReport) -> None:
    """Pod start one at a time: the median as a bar, p90 and p99 as marks."""
    names = [target.name for target in report.targets]
    for index, name in enumerate(names):
        found = report.find("start", "pod start", name, concurrency=1)
        if found and found.summary:
            summary = found.summary
            axes.barh(index, summary.p50, color=_colour(index))
            axes.plot([summary.p90, summary.p99], [index, index], "|-", color="black", linewidth=0.8)
            axes.annotate(number(summary.p50, "ms"), (summary.p99, index), xytext=(4, -3), textcoords="offset points")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title("pod start, one at a time, ms (p50; p90, p99)", fontsize=9)


def _curve_of(panel: Panel) -> Callable[[Axes, BenchReport], None]:
    condition, title = panel[2:]

    def draw(axes: Axes, report: BenchReport) -> None:
        unit = ""
        for index, target in enumerate(report.targets):
            points = _points(report, panel, target.name)
            unit = points[0].unit if points else unit
            _line(axes, points, condition, _colour(index))
        axes.set_ylim(bottom=0)
        axes.set_xticks(sorted({each.conditions[condition] for each in _all_points(report, panel)}))
        axes.set_xlabel(" ".join(condition_words({condition: 1})).replace("1", "N"))
        axes.set_title(f"{title}, {shown_unit(unit)}", fontsize=9)

    return draw


def _line(axes: Axes, points: Sequence[Measurement], condition: str, colour: str) -> None:
    """Medians, with the interval of each as a band."""
    summaries = [(each.conditions[condition], each.unit, each.summary) for each in points if each.summary]
    xs = [x for x, _, _ in summaries]
    style = "o" if condition == "image" else "o-"  # images are not a scale, so no line connects them
    medians = [_scaled(s.p50, unit) for _, unit, s in summaries]
    axes.plot(xs, medians, style, color=colour, markersize=3, linewidth=1.2)
    lows = [_scaled(s.p50 if s.low is None else s.low, unit) for _, unit, s in summaries]
    highs = [_scaled(s.p50 if s.high is None else s.high, unit) for _, unit, s in summaries]
    axes.fill_between(xs, lows, highs, color=colour, alpha=0.15, linewidth=0)


def _distribution(concurrency: int) -> Callable[[Axes, BenchReport], None]:
    """The share of pods that were started within a time, with every sample."""

    def draw(axes: Axes, report: BenchReport) -> None:
        for index, target in enumerate(report.targets):
            found = report.find("start", "pod start", target.name, concurrency=concurrency)
            if found and found.samples:
                axes.ecdf(found.samples, color=_colour(index))
        axes.set_xscale("log")
        axes.set_xlabel("ms")
        axes.set_title(f"share of pods started, {concurrency} at once", fontsize=9)

    return draw


def _points(report: BenchReport, panel: Panel, target: str) -> list[Measurement]:
    suite, name, condition, _ = panel
    found = [
        each
        for each in report.measurements
        if (each.suite, each.name, each.target) == (suite, name, target) and list(each.conditions) == [condition]
    ]
    return sorted(found, key=lambda each: each.conditions[condition])


def _all_points(report: BenchReport, panel: Panel) -> list[Measurement]:
    return [point for target in report.targets for point in _points(report, panel, target.name)]


def _has(report: BenchReport, panel: Panel) -> bool:
    return bool(_all_points(report, panel))


def _scaled(value: float, unit: str) -> float:
    return value / MIB if unit == "bytes" else value


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
