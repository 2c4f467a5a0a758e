import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread

from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate
from remedis.reporting.figures import write
from remedis.reporting.plots import roc_curves, training_curves

NOTE = "RANDOM WEIGHTS: nothing here was pretrained"


def _scored(columns):
    rng = np.random.default_rng(0)
    labels = (rng.random((300, columns)) < 0.3).astype(float)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    labels[:, columns // 2 :][:, 1:] = np.nan_to_num(labels[:, columns // 2 :][:, 1:])
    scores = rng.normal(size=labels.shape) + np.nan_to_num(labels)
    names = [f"Label number {column}" for column in range(columns)]
    return labels, scores, evaluate(labels, scores, names, np.arange(300) // 2, resamples=40)


def _rows():
    for step in range(10, 1010, 10):
        yield {"step": step, "train/loss": 1 / step, "train/learning_rate": 0.003}
        if step % 200 == 0:
            yield {"step": step, "validation/auroc": 0.5 + (step == 400) * 0.25}


def _overlaps(figure):
    """Pairs of texts, drawn, whose boxes overlap; and texts outside the figure."""
    FigureCanvasAgg(figure).draw()
    drawn = [*figure.texts, *(a.title for a in figure.axes), *(a.xaxis.label for a in figure.axes)]
    drawn += [a.yaxis.label for a in figure.axes] + [t for a in figure.axes for t in a.texts]
    for axis in [axis for a in figure.axes for axis in (a.xaxis, a.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        drawn += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
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


@pytest.mark.parametrize("columns", [1, 2, 5, 14])
@pytest.mark.parametrize("random_weights", [False, True])
def test_roc_has_a_panel_a_label_and_nothing_overlaps(columns, random_weights):
    labels, scores, result = _scored(columns)
    figure = roc_curves(labels, scores, result, random_weights=random_weights)
    assert len(figure.axes) == columns
    for axes, (name, estimate) in zip(figure.axes, result.labels.items(), strict=True):
        assert axes.get_title() == name
        assert axes.texts[0].get_text().startswith(estimate.interval)
    assert _overlaps(figure) == []
    notes = [text for text in figure.texts if text.get_text() == NOTE]
    assert [text.get_color() for text in notes] == ["#C00000"] * random_weights


def test_roc_curve_encloses_the_area_it_names():
    labels, scores, result = _scored(2)
    figure = roc_curves(labels, scores, result, random_weights=False)
    for axes, estimate in zip(figure.axes, result.labels.values(), strict=True):
        x, y = axes.lines[1].get_data()
        assert np.trapezoid(y, x) == pytest.approx(estimate.value)


def test_roc_draws_no_curve_that_is_not_estimable():
    labels, scores, _ = _scored(2)
    labels[:, 1] = 0
    result = evaluate(labels, scores, ["a", "b"], [None] * 300, resamples=40)
    figure = roc_curves(labels, scores, result, random_weights=False)
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert figure.axes[1].texts[0].get_text() == "not estimable\n" + (
        f"{result.labels['b'].patients} patients\n0 positive"
    )
    with pytest.raises(UserError, match="2 label names for 1 columns"):
        roc_curves(labels[:, :1], scores[:, :1], result, random_weights=False)


def test_training_curves_follow_the_log():
    figure = training_curves(_rows(), random_weights=True)
    loss, rate, auroc = figure.axes
    assert loss.lines[0].get_xdata().tolist() == list(range(10, 1010, 10))
    assert (rate.lines[0].get_ydata() == 0.003).all()
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


def test_steps_by_factors_of_ten_are_drawn_on_a_logarithmic_axis():
    rows = [{"step": step, "train/learning_rate": 0.1 ** (step // 10)} for step in range(40)]
    assert training_curves(rows, random_weights=False).axes[1].get_yscale() == "log"
    warm_up = [{"step": step, "train/learning_rate": 0.003 * step} for step in range(40)]
    assert training_curves(warm_up, random_weights=False).axes[1].get_yscale() == "linear"


def test_written_whole_and_alike_without_the_global_state(tmp_path):
    for name in ("a.png", "b.png"):
        write(training_curves(_rows(), random_weights=True), tmp_path / "plots" / name, dpi=50)
    first, second = (tmp_path / "plots" / name for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    assert imread(first).shape[1] == 600
    assert sorted(path.name for path in first.parent.iterdir()) == ["a.png", "b.png"]
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
    assert matplotlib.rcParams["figure.constrained_layout.use"] is False
