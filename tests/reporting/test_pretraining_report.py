"""The report of a finished pretraining: sentences and figure."""

import json

import pytest

from remedis import files
from remedis.reporting import pretraining_report

ROWS = [{"step": 0, "probe/linear_auroc": 0.594, "probe/knn_auroc": 0.558}] + [
    {"step": step, "train/loss": 4.0, "train/alignment": 1.9, **probe}
    for step, probe in (
        (10, {}),
        (20, {"probe/linear_auroc": 0.706, "probe/knn_auroc": None}),
        (30, {"probe/linear_auroc": 0.683, "probe/knn_auroc": 0.66}),
    )
]


def written(run, rows, best):
    run.mkdir()
    probe = [row for row in rows if "probe/linear_auroc" in row]
    results = {"name": "mine", "method": "simclr", "steps": 30, "best_step": best, "probe": probe}
    results["checkpoint"] = {"origin": "random", "description": "RANDOM WEIGHTS (seed 0)."}
    files.write_json(run / "results.json", results)
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_states_the_probes_results(tmp_path):
    run = written(tmp_path / "run", ROWS, best=30)
    lines = pretraining_report.report(run)
    assert lines[1] == (
        "Mean AUROC of a linear probe on validation: 0.594 before, 0.683 at step 30, which is kept."
    )
    assert lines[-2:] == [
        "It started from: RANDOM WEIGHTS (seed 0).",
        "Research software, not a diagnostic device.",
    ]
    assert (run / "training.png").stat().st_size > 10_000


@pytest.mark.parametrize(("best", "better"), [(20, True), (30, True), (40, False), (50, False)])
def test_says_if_no_step_is_better_than_the_start(tmp_path, best, better):
    worse = [{"step": 40, "probe/linear_auroc": 0.594, "probe/knn_auroc": 0.6}]
    worse += [{"step": 50, "probe/linear_auroc": 0.55, "probe/knn_auroc": 0.7}]
    text = "\n".join(pretraining_report.report(written(tmp_path / "run", ROWS + worse, best)))
    assert ("No step has a better linear probe than the weights" in text) != better
    assert "The linear probe's AUROC chose the step and is therefore optimistic." in text
    assert ("0.558 before, not estimable at step 20" in text) == (best == 20)


def test_without_a_probe_there_is_no_number_to_choose_by(tmp_path):
    rows = [{k: v for k, v in row.items() if "probe" not in k} for row in ROWS]
    assert "AUROC" not in str(pretraining_report.report(written(tmp_path / "run", rows, best=30)))


def test_the_words_are_explained_and_a_risen_loss_is_remarked(tmp_path):
    text = "\n".join(pretraining_report.report(written(tmp_path / "run", ROWS, best=30)))
    assert "Alignment: the mean squared distance of two views of an image" in text
    assert "Effective rank" not in text  # not logged
    assert "The loss rose" not in text
    rows = [{"step": step, "train/loss": loss} for step, loss in enumerate((2.0, 2.5, 3.0))]
    assert pretraining_report.loss_remark(rows).startswith("The loss rose from 2.000 to 3.000")
    assert pretraining_report.loss_remark(rows[:1]) == ""
    assert pretraining_report.loss_remark(rows[::-1][:0]) == ""


def test_random_weights_are_in_the_picture():
    for random in (True, False):
        figure = pretraining_report.progress(ROWS, title="Pretraining", random_weights=random)
        texts = [text.get_text() for text in figure.texts]
        assert any("Began as RANDOM WEIGHTS" in text for text in texts) == random


def test_titles_fit_their_panels():
    figure = pretraining_report.progress(ROWS, title="Pretraining")
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert axes.get_title() or axes.get_title("left")
        left = axes._left_title  # type: ignore[attr-defined]
        assert left.get_window_extent().x1 <= axes.bbox.x1 * 1.02
