"""The figures of AUROC by labelled patients: data, layout and legends."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from ood_example import BUDGETS, FIVE, make_study

from remedis.reporting.label_budget_report import curve_figures as figures
from remedis.reporting.label_budget_report import curve_panels


def _rescaled(study, factor):
    """Multiplies the patients of every budget by `factor`."""
    for of in (*study["points"], *study["reference"]):
        of["patients"] *= factor
    return study


def _overlaps(figure):
    """Returns pairs of texts that overlap, and texts that leave the figure."""
    FigureCanvasAgg(figure).draw()
    drawn = [*figure.texts, *(t for of in figure.legends for t in of.get_texts())]
    for axes in figure.axes:
        drawn += [*axes.get_xticklabels(), axes.xaxis.label, axes.title, axes.yaxis.label]
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn if text.get_text()]
    wrong = [
        (one, other)
        for index, (one, a) in enumerate(boxes)
        for other, b in boxes[:index]
        if min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)
    ]
    page = figure.bbox
    wrong += [t for t, b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > page.x1 or b.y1 > page.y1]
    return wrong


def test_curves_go_through_the_points():
    study = make_study()
    (axes,) = figures.curve_panel(study, "probe").axes
    lines = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) > 1]
    at, value = lines[0].get_data()
    assert at.tolist() == list(BUDGETS)
    points = [p for p in study["points"] if (p["arm"], p["mode"]) == ("remedis", "probe")]
    assert value.tolist() == [p["mean"]["value"] for p in points]
    # A hollow marker is the zero-shot point.
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata().tolist() for line in hollow] == [[0]] * 3
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(min(p["mean"]["low"] for p in points))
    assert band[:, 1].max() == pytest.approx(max(p["mean"]["high"] for p in points))
    reference = axes.lines[0]
    assert set(reference.get_ydata()) == {0.7785}


def test_arms_differ_in_more_than_colour():
    styles = curve_panels.styles(make_study(tuple("abcdefgh")))
    assert len({(style["marker"], str(style["linestyle"])) for style in styles}) == 8


def test_the_axis_of_patients_has_the_scale_log_of_one_plus_patients():
    (axes,) = figures.curve_panel(make_study(), "probe").axes
    across = axes.transData.transform([(n, 0.8) for n in (0, 9, 99)])[:, 0]
    assert across[2] - across[1] == pytest.approx(across[1] - across[0])
    assert axes.get_xticklabels()[0].get_text() == "310\n100 %"
    assert [t.get_text() for t in axes.get_xticklabels()][-1] == "0\nzero-shot"
    marks = sorted([*axes.get_xticks(), *axes.get_xticks(minor=True)])
    assert marks == list(BUDGETS)


@pytest.mark.parametrize("factor", [1, 80])
def test_names_of_budgets_have_room(factor):
    study = _rescaled(make_study(modes=("probe",)), factor)
    for figure in (
        figures.curve_panel(study, "probe"),
        figures.label_panel(study, "probe", "Edema"),
    ):
        assert _overlaps(figure) == []
        shown = [t.get_text() for t in figure.axes[0].get_xticklabels()]
        assert f"{310 * factor:,}\n100 %" in shown
        assert len(shown) >= 4


@pytest.mark.parametrize("random_weights", [False, True])
def test_the_legend_has_room_and_says_random_weights_in_red(random_weights):
    long = "an arm <& more> whose name is longer than a legend is wide, by $far$ and then some"
    study = make_study((long, "bit", "scratch"), FIVE[:2])
    for arm in study["arms"].values():
        arm["random_weights"] |= random_weights
    for figure in (figures.curves(study), figures.labels(study, "finetune"), figures.legend(study)):
        assert _overlaps(figure) == []
        names = figure.legends[0].get_texts()
        red = [n.get_text() for n in names if n.get_color() == "#C00000"]
        assert len(red) == (3 if random_weights else 1)
        assert red[-1] == "scratch (random weights)"
        assert " ".join(names[0].get_text().split()).startswith(long)
        notes = [t.get_text() for t in figure.texts if t.get_color() == "#C00000"]
        assert notes == ["RANDOM WEIGHTS: nothing here was pretrained"] * (
            random_weights and len(figure.axes) > 0
        )


def test_a_label_that_is_not_estimable_says_so():
    study = make_study()
    figure = figures.label_panel(study, "probe", "Consolidation")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["not estimable"]
    assert not axes.lines
    # All panels share their limits, so that labels can be compared.
    (other,) = figures.label_panel(study, "finetune", "Edema").axes
    assert np.array_equal(axes.get_ylim(), other.get_ylim())
    assert not other.texts


@pytest.mark.slow
def test_fourteen_labels_and_seven_arms_have_room():
    labels = tuple(f"Finding number {n} with a long name & more" for n in range(14))
    study = make_study(tuple("abcdefg"), labels)
    assert len(figures.labels(study, "probe").axes) == 14
    assert _overlaps(figures.labels(study, "probe")) == []
    assert _overlaps(figures.curves(study)) == []
