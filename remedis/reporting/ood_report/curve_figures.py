"""The figures: AUROC by labelled patients, of all labels together and of each."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from remedis.reporting.figures import RED, columns_of
from remedis.reporting.figures import panels as panel_grid
from remedis.reporting.ood_report import curve_panels
from remedis.reporting.ood_report.study_summary import Study, mode_name, pool

_WRAP = 52  # characters a line of the legend


def curves(study: Study) -> Figure:
    """Returns one panel a mode: the mean over the labels by labelled patients, with bands."""
    modes, names = study["modes"], _names(study, reference=True)
    figure, grid = panel_grid(
        len(modes),
        2,
        (4.8, 3.6 + _height(names) / -(-len(modes) // 2)),
        title=study["title"],
        subtitle=f"{study['metric']} on the OOD test set. Bands: 95 % intervals.",
        random_weights=_all_random(study),
    )
    for axes, mode in zip(grid, modes, strict=True):
        axes.set_title(mode_name(mode), fontsize=11, loc="left", parse_math=False)
        curve_panels.curve(axes, study, mode)
    _legend_below(figure, study, names)
    return figure


def curve_panel(study: Study, mode: str) -> Figure:
    """Returns one panel of `curves` by itself, with the legend."""
    names = _names(study, reference=True)
    figure = Figure(figsize=(4.8, 3.4 + _height(names)), layout="constrained")
    curve_panels.curve(_axes(figure), study, mode)
    _legend_below(figure, study, names)
    return figure


def labels(study: Study, mode: str) -> Figure:
    """Returns one panel a label: its AUROC by labelled patients, with bands."""
    shown, names = study["labels"], _names(study, reference=False)
    columns = columns_of(len(shown))
    figure, grid = panel_grid(
        len(shown),
        columns,
        (3.2, 2.5 + _height(names) / -(-len(shown) // columns)),
        title=study["title"],
        subtitle=f"{mode_name(mode)}: AUROC of each label on the OOD test set. Bands: 95 % "
        "intervals.",
        random_weights=_all_random(study),
    )
    for index, (axes, label) in enumerate(zip(grid, shown, strict=True)):
        name = "\n".join(textwrap.wrap(label, 30))
        axes.set_title(name, fontsize=10, loc="left", parse_math=False)
        curve_panels.label(axes, study, mode, label)
        if index + columns < len(shown):
            axes.set_xlabel("")
        if index % columns:
            axes.set_ylabel("")
    _legend_below(figure, study, names)
    return figure


def label_panel(study: Study, mode: str, label: str) -> Figure:
    """Returns one panel of `labels` by itself, without the legend."""
    # Margins that are known need no layout to be solved, which takes most of the time.
    figure = Figure(figsize=(3.2, 2.4))
    figure.subplots_adjust(left=0.19, right=0.95, bottom=0.27, top=0.97)
    curve_panels.label(_axes(figure), study, mode, label)
    return figure


def legend(study: Study) -> Figure:
    """Returns which line is which arm's, by itself."""
    names = _names(study, reference=False)
    figure = Figure(figsize=(4.8, _height(names)))
    _legend(figure, study, names, (0, 0))
    return figure


def _all_random(study: Study) -> bool:
    return all(arm["random_weights"] for arm in study["arms"].values())


def _axes(figure: Figure) -> Axes:
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    return axes


def _names(study: Study, reference: bool) -> list[str]:
    """Returns what the legend calls the arms, and the reference if it is drawn."""
    names = [
        arm + (" (random weights)" if of["random_weights"] else "")
        for arm, of in study["arms"].items()
    ]
    if reference and study["reference"]:
        names.append(f"reference: {study['baseline']} with all {pool(study):,} labelled patients")
    return ["\n".join(textwrap.wrap(name, _WRAP)) for name in names]


def _height(names: Sequence[str]) -> float:
    """Returns the inches that a legend of these names takes."""
    return 0.1 + 0.06 * len(names) + 0.15 * sum(1 + name.count("\n") for name in names)


def _legend_below(figure: Figure, study: Study, names: Sequence[str]) -> None:
    """Puts the legend below the panels, where it hides nothing, and makes room for it."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    left, bottom, width, height = engine.get()["rect"]
    share = _height(names) / figure.get_figheight()
    engine.set(rect=(left, bottom + share, width, height - share))
    _legend(figure, study, names, (left, bottom))


def _legend(
    figure: Figure, study: Study, names: Sequence[str], corner: tuple[float, float]
) -> None:
    handles = [Line2D([], [], **style) for style in curve_panels.styles(study)]
    handles.append(Line2D([], [], **curve_panels.REFERENCE))
    made = figure.legend(
        handles=handles[: len(names)],
        labels=names,
        loc="lower left",
        bbox_to_anchor=corner,
        borderaxespad=0,
        frameon=False,
        fontsize=9,
        handlelength=3.6,
    )
    random = [of["random_weights"] for of in study["arms"].values()]
    for text, red in zip(made.get_texts(), [*random, False], strict=False):
        text.set_color(RED if red else "black")
    # Dollars in names are dollars, not mathematics.
    for text in (*made.get_texts(), *figure.texts):
        text.set_parse_math(False)
