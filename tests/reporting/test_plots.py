"""The figures of a run: data, layout, notes and files."""

import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from scipy.special import expit

from remedis.errors import UserError
from remedis.evaluation.calibration_error import bin_count
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import choose
from remedis.reporting import figures
from remedis.reporting.figures import write
from remedis.reporting.reliability_plot import reliability_curves
from remedis.reporting.roc_plot import roc_curves
from remedis.reporting.subgroup_plot import subgroup_areas
from remedis.reporting.training_plot import training_curves

NOTE = "RANDOM WEIGHTS: nothing here was pretrained"


def _scored(columns):
    rng = np.random.default_rng(0)
    labels = (rng.random((300, columns)) < 0.3).astype(float)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    labels[:, columns // 2 :][:, 1:] = np.nan_to_num(labels[:, columns // 2 :][:, 1:])
    scores = expit(rng.normal(size=labels.shape) + np.nan_to_num(labels))
    names = [f"Label number {column}" for column in range(columns)]
    chosen = choose(labels, scores, names)
    patients = np.arange(300) // 2
    return (
        labels,
        scores,
        evaluate(labels, scores, names, patients, thresholds=chosen, resamples=40),
    )


def _rows():
    for step in range(10, 1010, 10):
        yield {"step": step, "train/loss": 1 / step, "train/learning_rate": 0.003}
        if step % 200 == 0:
            yield {"step": step, "validation/auroc": 0.5 + (step == 400) * 0.25}


def _overlaps(figure):
    """Returns pairs of visible texts that overlap, and texts outside the figure."""
    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, *(a.title for a in figure.axes), *(a.xaxis.label for a in figure.axes)]
    texts += [a.yaxis.label for a in figure.axes] + [t for a in figure.axes for t in a.texts]
    for axis in [axis for a in figure.axes for axis in (a.xaxis, a.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        texts += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    wrong = [
        (one, other)
        for index, (one, a) in enumerate(boxes)
        for other, b in boxes[:index]
        if min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)
    ]
    page = figure.bbox
    wrong += [t for t, b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > page.x1 or b.y1 > page.y1]
    return wrong


@pytest.mark.parametrize(
    ("columns", "random_weights"), [(1, True), (2, False), (5, False), (14, True)]
)
def test_roc_has_one_panel_per_label_and_nothing_overlaps(columns, random_weights):
    labels, scores, result = _scored(columns)
    figure = roc_curves(labels, scores, result, random_weights=random_weights)
    assert len(figure.axes) == columns
    for axes, (name, estimate) in zip(figure.axes, result.labels.items(), strict=True):
        assert axes.get_title() == name
        assert axes.texts[0].get_text().startswith(estimate.interval)
    assert _overlaps(figure) == []
    notes = [text for text in figure.texts if text.get_text() == NOTE]
    assert [text.get_color() for text in notes] == ["#C00000"] * random_weights


def test_area_under_the_roc_curve_is_the_estimate():
    labels, scores, result = _scored(2)
    figure = roc_curves(labels, scores, result, random_weights=False)
    for axes, estimate in zip(figure.axes, result.labels.values(), strict=True):
        x, y = axes.lines[1].get_data()
        assert np.trapezoid(y, x) == pytest.approx(estimate.value)


def test_roc_marks_both_thresholds_on_the_curve():
    labels, scores, result = _scored(2)
    figure = roc_curves(labels, scores, result, random_weights=False)
    for column, axes in enumerate(figure.axes):
        marks = {line.get_marker(): line.get_data() for line in axes.lines[2:]}
        assert list(marks) == ["o", "s"]
        points = zip(result.thresholds.arrays().values(), marks.values(), strict=True)
        for thresholds, ((across,), (up,)) in points:
            called = scores[:, column].astype(np.float32) >= np.float32(thresholds[column])
            assert up == pytest.approx(called[labels[:, column] == 1].mean())
            assert across == pytest.approx(called[labels[:, column] == 0].mean())
    bare = evaluate(labels, scores, list(result.labels), np.arange(300), resamples=40)
    figure = roc_curves(labels, scores, bare, random_weights=False)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]


@pytest.mark.parametrize(("columns", "random_weights"), [(1, True), (5, False)])
def test_reliability_has_one_panel_per_label_and_nothing_overlaps(columns, random_weights):
    labels, scores, result = _scored(columns)
    figure = reliability_curves(labels, scores, result, random_weights=random_weights)
    errors = result.metrics["calibration_error"].labels
    for axes, (name, error), column in zip(figure.axes, errors.items(), labels.T, strict=True):
        images = (~np.isnan(column)).sum()
        assert axes.get_title() == name
        first, *line, last = axes.texts[0].get_text().splitlines()
        assert (first, last) == (f"ECE {error.interval}", f"{images} images, 5 bins")
        for text, metric in zip(line, ("slope", "intercept"), strict=True):
            estimate = result.metrics[f"calibration_{metric}"].labels[name]
            assert text.startswith(f"{metric} {estimate.value:.2f} [{estimate.low:.2f}, ")
        probability, share = axes.lines[1].get_data()
        assert len(probability) == bin_count(error.patients) == 5
        # Bins hold equally many images, so the mean distance of the dots is the calibration error.
        assert np.abs(probability - share).mean() == pytest.approx(error.value, abs=0.01)
    assert _overlaps(figure) == []
    assert sum(text.get_text() == NOTE for text in figure.texts) == random_weights


def test_reliability_of_few_different_probabilities_and_of_none():
    labels = np.array([[1.0, np.nan], [0.0, np.nan]] * 10)
    scores = np.tile([[0.75, 0.5], [0.25, 0.5]], (10, 1))
    result = evaluate(labels, scores, ["a", "b"], [None] * 20, resamples=40)
    figure = reliability_curves(labels, scores, result, random_weights=False)
    probability, share = figure.axes[0].lines[1].get_data()
    assert (probability.tolist(), share.tolist()) == ([0.25, 0.75], [0.0, 1.0])
    texts = [axes.texts[0].get_text().splitlines() for axes in figure.axes]
    assert texts[1] == [
        "not estimable",
        "slope not estimable",
        "intercept not estimable",
        "0 images, 1 bin",
    ]
    assert texts[0][1] == "slope not estimable"  # the scores separate the classes
    assert len(figure.axes[1].lines) == 1


def test_reliability_of_thirteen_images_has_two_bins():
    labels, scores = (np.arange(13) % 2)[:, None] * 1.0, np.linspace(0.2, 0.9, 13)[:, None]
    result = evaluate(labels, scores, ["a"], range(13), resamples=40)
    figure = reliability_curves(labels, scores, result, random_weights=False)
    assert len(figure.axes[0].lines[1].get_xdata()) == 2
    assert len(figure.axes[0].patches) == 5  # bars, by the Rice rule
    assert figure.axes[0].texts[0].get_text().endswith("13 images, 2 bins")
    assert _overlaps(figure) == []


@pytest.mark.parametrize("columns", [1, 5])
def test_subgroups_have_one_line_per_group_and_nothing_overlaps(columns):
    labels, scores, result = _scored(columns)
    patients = np.arange(300) // 2
    table = pd.DataFrame(
        {"sex": np.array(["F", "M"])[patients % 2], "site": np.where(patients < 4, "tiny", "large")}
    )
    names = list(result.labels)
    estimates = subgroups(labels, scores, names, patients, table, resamples=40)
    figure = subgroup_areas(estimates, random_weights=True)
    assert len(figure.axes) == columns + (columns > 1)
    texts = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert texts == ["sex", "F", "M", "site", "large", "tiny"]
    notes = [text.get_text() for text in figure.axes[0].texts]
    gap = estimates["sex"][names[0]]["gaps"]["auroc"]
    assert notes == [
        f"gap {gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]",
        "not estimable",
    ]
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    groups = estimates["sex"][names[0]]["groups"]
    assert dots[:2] == [groups[sex]["auroc"]["value"] for sex in ("F", "M")]
    assert _overlaps(figure) == []


def test_roc_draws_no_curve_that_is_not_estimable():
    labels, scores, _ = _scored(2)
    labels[:, 1] = 0
    result = evaluate(labels, scores, ["a", "b"], [None] * 300, resamples=40)
    figure = roc_curves(labels, scores, result, random_weights=False)
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert figure.axes[1].texts[0].get_text() == "not estimable\n" + (
        f"{result.labels['b'].patients} patients\n0 positive"
    )
    result = evaluate(0 * labels, scores, ["a", "b"], [None] * 300, resamples=40)
    figure = roc_curves(0 * labels, scores, result, random_weights=False)
    assert any("No label has an estimable AUROC." in text.get_text() for text in figure.texts)
    with pytest.raises(UserError, match="2 label names for 1 columns"):
        roc_curves(labels[:, :1], scores[:, :1], result, random_weights=False)


def test_training_curves_follow_the_log():
    figure = training_curves(_rows(), random_weights=True)
    loss, rate, auroc = figure.axes
    assert loss.lines[0].get_xdata().tolist() == list(range(10, 1010, 10))
    assert set(rate.lines[0].get_ydata()) == {0.003}
    assert auroc.get_legend().get_texts()[0].get_text() == "best: 0.750 at step 400"
    assert [text.get_text() for text in figure.texts if text.get_color() == "#C00000"] == [NOTE]
    assert _overlaps(figure) == []


def test_training_curves_of_a_resumed_run_count_the_last_row_of_a_step():
    rows = [{"step": step, "train/loss": 9.0} for step in (10, 20, 30)]
    rows += [{"step": step, "train/loss": 1.0} for step in (20, 30, 40)]
    rows += [{"step": 40, "validation/auroc": None}]
    loss, rate, auroc = training_curves(rows, random_weights=False).axes
    assert loss.lines[0].get_xdata().tolist() == [10, 20, 30, 40]
    assert loss.lines[0].get_ydata().tolist() == [9.0, 1.0, 1.0, 1.0]
    assert [axes.texts[0].get_text() for axes in (rate, auroc)] == ["nothing logged"] * 2


def test_a_rate_that_falls_by_factors_of_ten_has_a_logarithmic_axis():
    rows = [{"step": step, "train/learning_rate": 0.1 ** (step // 10)} for step in range(40)]
    assert training_curves(rows, random_weights=False).axes[1].get_yscale() == "log"
    warm_up = [{"step": step, "train/learning_rate": 0.003 * step} for step in range(40)]
    assert training_curves(warm_up, random_weights=False).axes[1].get_yscale() == "linear"


def test_equal_figures_are_equal_files_and_leave_the_global_state_alone(tmp_path):
    for name in ("a.png", "b.png"):
        write(training_curves(_rows(), random_weights=True), tmp_path / "plots" / name, dpi=50)
    first, second = (tmp_path / "plots" / name for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    assert imread(first).shape[1] == 600
    assert sorted(path.name for path in first.parent.iterdir()) == ["a.png", "b.png"]
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
    assert matplotlib.rcParams["figure.constrained_layout.use"] is False


def test_hundreds_of_labels_have_a_few_panels_and_a_sentence():
    names, sentence = figures.labels_of_panels({f"l{i}": i % 100 for i in range(500)})
    assert len(names) == figures.MOST_PANELS
    assert names[0] == "l94"
    assert names == sorted(names, key=lambda name: int(name[1:]))
    assert sentence == "30 of 500 labels, those with the most positive patients."
    assert figures.labels_of_panels({"a": 0, "b": 1}) == (["a", "b"], "")
