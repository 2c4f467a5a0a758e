"""The figures of AUROC by labelled patients: data, layout and legends."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from ood_example import BUDGETS, FIVE, make_study, without_later_keys

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
    band, intervals = axes.collections[:2]
    ends = band.get_paths()[0].vertices[:, 1]
    assert ends.min() == pytest.approx(min(p["mean"]["band_low"] for p in points))
    assert ends.max() == pytest.approx(max(p["mean"]["band_high"] for p in points))
    drawn = [path.vertices[:, 1].tolist() for path in intervals.get_paths()]
    assert drawn == [[p["mean"]["low"], p["mean"]["high"]] for p in points]
    reference = axes.lines[0]
    assert set(reference.get_ydata()) == {0.7785}


def test_a_line_marks_chance():
    study = make_study()
    panels = (figures.curve_panel(study, "probe"), figures.label_panel(study, "probe", "Edema"))
    for (axes,) in (figure.axes for figure in panels):
        assert [t.get_text() for t in axes.texts] == ["chance"]
        assert [0.5, 0.5] in [list(line.get_ydata()) for line in axes.lines]
        low, high = axes.get_ylim()
        assert low < 0.5 < high


def test_an_earlier_study_without_bands_has_none():
    study = without_later_keys(make_study())
    figure = figures.curve_panel(study, "probe")
    assert not any("band" in t.get_text() for t in figure.legends[0].get_texts())
    band = figures.curve_panel(make_study(), "probe").legends[0].get_texts()[-1].get_text()
    assert band == "95 % band of the whole curve, all points at once"


def test_arms_differ_in_more_than_colour():
    styles = curve_panels.styles(make_study(tuple("abcdefgh")))
    assert len({(style["marker"], str(style["linestyle"])) for style in styles}) == 8


def test_the_axis_of_patients_has_the_scale_log_of_one_plus_patients():
    (axes,) = figures.curve_panel(make_study(), "probe").axes
    across = axes.transData.transform([(n, 0.8) for n in (0, 9, 99)])[:, 0]
    assert across[2] - across[1] == pytest.approx(across[1] - across[0])
    assert axes.get_xticks().tolist() == list(BUDGETS)
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(n) for n in BUDGETS]


def test_few_budgets_show_their_shares():
    study = make_study()
    study["points"] = [p for p in study["points"] if p["patients"] in (0, 16, 310)]
    (axes,) = figures.curve_panel(study, "probe").axes
    shown = [t.get_text() for t in axes.get_xticklabels()]
    assert shown == ["0\nzero-shot", "16\n5 %", "310\n100 %"]


@pytest.mark.parametrize(("factor", "left_out"), [(1, []), (80, ["8,160"])])
def test_names_of_budgets_have_room(factor, left_out):
    """Of 8,160 and 12,400 patients only the larger number has room in a narrow panel."""
    study = _rescaled(make_study(modes=("probe",)), factor)
    for figure, without in (
        (figures.curve_panel(study, "probe"), []),
        (figures.label_panel(study, "probe", "Edema"), left_out),
    ):
        assert _overlaps(figure) == []
        shown = [t.get_text() for t in figure.axes[0].get_xticklabels()]
        assert shown == [name for n in BUDGETS if (name := f"{n * factor:,}") not in without]


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
    assert [text.get_text() for text in axes.texts] == ["not estimable", "chance"]
    assert len(axes.lines) == 1
    # All panels share their limits, so that labels can be compared.
    (other,) = figures.label_panel(study, "finetune", "Edema").axes
    assert np.array_equal(axes.get_ylim(), other.get_ylim())
    assert [text.get_text() for text in other.texts] == ["chance"]


@pytest.mark.slow
def test_fourteen_labels_and_seven_arms_have_room():
    labels = tuple(f"Finding number {n} with a long name & more" for n in range(14))
    study = make_study(tuple("abcdefg"), labels)
    assert len(figures.labels(study, "probe").axes) == 14
    assert _overlaps(figures.labels(study, "probe")) == []
    assert _overlaps(figures.curves(study)) == []
