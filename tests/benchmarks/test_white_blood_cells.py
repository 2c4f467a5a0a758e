"""The benchmark on white blood cells: replicates pooled into one study, and its words."""

import pathlib
import types

import numpy as np
import pandas as pd
import pytest

from remedis.data.manifest import Manifest
from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.label_budget import Cell, StudyMetric
from remedis.label_budget.arm import InDistributionScores, scores_file
from remedis.label_budget.cell_store import CellStore
from remedis.label_budget.settings import StudySettings
from remedis.zoo.provenance import Provenance

BUDGETS, DRAWS, CELLS = (0, 8), 2, 60
TARGETS = np.arange(CELLS)[:, None] % 2
NOISE = np.random.default_rng(0).normal(size=(9, CELLS, 1))


@pytest.fixture(scope="module")
def pooled_studies(load_benchmark):
    return load_benchmark("pooled_studies")


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("white_blood_cells")


@pytest.fixture(scope="module")
def runs(load_benchmark):
    return load_benchmark("white_blood_cells_runs")


def make_study(folder, signals, first="cell-0"):
    """Returns a replicate: arm -> how far the scores of the two classes are apart."""
    names = [first, *(f"cell-{i}" for i in range(1, CELLS))]
    table = pd.DataFrame({"path": names, "patient_id": names, "mononuclear": TARGETS[:, 0]})
    table = table.assign(study_id=None, site=None, split="test")
    images = Manifest(table, ("mononuclear",), folder, "made up")
    planned = [
        Cell(arm, "probe", n, seed)
        for arm in signals
        for n in BUDGETS
        for seed in range(DRAWS if n else 1)
    ]
    cells = CellStore(folder / "cells", planned, TARGETS.shape)
    (folder / "cells").mkdir(parents=True)
    (folder / "id").mkdir()
    run = types.SimpleNamespace(path=folder)
    start = Provenance("training", "Made up.")
    for arm, signal in signals.items():
        scores = [signal * TARGETS + NOISE[i] for i in range(DRAWS + 1)]
        InDistributionScores(scores[0], scores[0], start, 1.0).write(scores_file(run, arm, "probe"))
        for cell in planned:
            if cell.arm == arm:
                cells.write(cell, scores[cell.seed + (cell.patients > 0)], 2.0)
    counts = {split: {"patients": CELLS, "images": CELLS} for split in ("pool", "test")}
    hospital = types.SimpleNamespace(name="second")
    return types.SimpleNamespace(
        run=run,
        cells=cells,
        data=types.SimpleNamespace(
            test=images,
            inside=types.SimpleNamespace(test=images),
            counts=lambda: {"id": counts, "ood": counts},
        ),
        settings=types.SimpleNamespace(
            task="multi_label",
            metric=StudyMetric.parse("auroc"),
            levels=(0.8,),
            resamples=200,
            id=types.SimpleNamespace(name="first"),
            ood=hospital,
            hospital=lambda key: hospital,
        ),
    )


def make_arms(pooled_studies, folder, by_arm):
    """Returns arms of three replicates: arm -> the signal of each replicate."""
    studies = [
        make_study(folder / str(k), {arm: signals[k] for arm, signals in by_arm.items()})
        for k in range(3)
    ]
    return {arm: pooled_studies.PooledArm(studies, arm, "probe") for arm in by_arm}


def test_intervals_contain_the_difference_between_pretrainings(pooled_studies, tmp_path):
    """Arms of one mean AUROC: the one whose pretrainings differ has the wider interval."""
    arms = make_arms(pooled_studies, tmp_path, {"differ": (0.2, 1.0, 1.8), "same": (1.0, 1.0, 1.0)})
    study = pooled_studies.pooled(arms, "adapted", "same")
    alone = pooled_studies.per_replicate(arms["differ"], 8, DRAWS)
    truth = [
        np.mean([mean_auroc(TARGETS, signal * TARGETS + NOISE[i]) for i in (1, 2)])
        for signal in (0.2, 1.0, 1.8)
    ]
    np.testing.assert_allclose(alone, truth)
    ends = {p["arm"]: p["mean"] for p in study["points"] if p["patients"] == 8}
    assert ends["differ"]["value"] == pytest.approx(np.mean(truth))
    widths = {arm: mean["high"] - mean["low"] for arm, mean in ends.items()}
    assert widths["differ"] > 2 * widths["same"]
    assert study["seeds"] == 6
    assert study["trainings"] == {"adapted": 3}
    assert arms["same"].minutes() == pytest.approx(3 * (1 + 3 * 2) / 60)


def test_an_arm_does_not_differ_from_itself(pooled_studies, load_benchmark, tmp_path):
    arms = make_arms(pooled_studies, tmp_path, {"one": (0.5, 1.0, 1.5)})
    arms["other"] = arms["one"]
    study = pooled_studies.pooled(arms, "adapted", "other")
    pages = load_benchmark("white_blood_cells_section")
    for patients in BUDGETS:
        assert pages.paired(study, "one", "other", patients)["value"] == 0
    (sentence,) = pages.answers(study)
    assert "patient" not in sentence
    assert pages.figure([study, study], "Title").axes[1].get_xlabel() == "labelled cells of second"


def test_replicates_that_all_arms_have_are_analysed(pooled_studies, tmp_path):
    """The runs of a shorter arm are those of its own replicates, not of the longer arm's."""
    arms = make_arms(pooled_studies, tmp_path, {"one": (0.5, 1.0, 1.5), "two": (2.0, 1.0, 9.0)})
    arms["two"] = pooled_studies.PooledArm(arms["two"].studies[:2], "two", "probe")
    study = pooled_studies.pooled(arms, "adapted", "one")
    assert (study["trainings"], study["seeds"]) == ({"adapted": 2}, 4)
    for arm in arms:
        first = pooled_studies.per_replicate(arms[arm], 8, DRAWS)[:2]
        (point,) = [p for p in study["points"] if (p["arm"], p["patients"]) == (arm, 8)]
        assert point["mean"]["value"] == pytest.approx(np.mean(first))


def test_only_the_replicates_that_are_analysed_are_shown_alone(benchmark, pooled_studies, tmp_path):
    arms = make_arms(pooled_studies, tmp_path, {"one": (0.5, 1.0, 1.5), "two": (2.0, 1.0, 9.0)})
    arms["two"] = pooled_studies.PooledArm(arms["two"].studies[:2], "two", "probe")
    study = pooled_studies.pooled(arms, "adapted", "one")
    lines = benchmark._block(study, arms, "All arms", ("one",))
    means = {f"| {p['arm']} |": p["mean"]["value"] for p in study["points"] if p["patients"]}
    for arm, mean in means.items():
        (row,) = [line for line in lines[-3:] if line.startswith(arm)]
        alone = [float(value) for value in row.split("|")[-2].split(",")]
        assert len(alone) == 2
        assert np.mean(alone) == pytest.approx(mean, abs=1e-3)


def test_a_difference_is_turned_round_with_its_interval(load_benchmark):
    pages = load_benchmark("white_blood_cells_section")
    row = {
        "patients": 8,
        "arm": "a",
        "against": "b",
        "difference": {"value": 0.1, "low": -0.2, "high": 0.3},
    }
    study = {"paired": [row]}
    assert pages.paired(study, "a", "b", 8) == row["difference"]
    assert pages.paired(study, "b", "a", 8) == {"value": -0.1, "low": -0.3, "high": 0.2}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.2, "a gain"),
        (-0.2, -0.01, "a loss"),
        (-0.01, 0.2, "neither a gain nor a loss is shown"),
        (0.0, 0.2, "neither a gain nor a loss is shown"),
        (None, None, "not estimable"),
    ],
)
def test_a_gain_is_said_where_its_interval_excludes_0(load_benchmark, low, high, said):
    row = {
        "patients": 8,
        "arm": "a",
        "against": "b",
        "difference": {"value": 0.1, "low": low, "high": high},
    }
    study = {
        "paired": [row],
        "points": [{"patients": 8}],
        "data": {"ood": {"name": "second"}},
    }
    (line,) = load_benchmark("white_blood_cells_section").gains(study, [("a", "b")])
    assert line.startswith("- a, minus b, with 8 labelled cells of second: +0.100")
    assert line.endswith(f": {said}.")


def test_what_is_not_finished_or_of_other_images_is_refused(pooled_studies, tmp_path):
    arms = make_arms(pooled_studies, tmp_path, {"one": (1.0, 1.0, 1.0)})
    (tmp_path / "1" / "cells" / "one-probe-8-1.npz").unlink()
    with pytest.raises(SystemExit, match="cells of one, probe are missing"):
        pooled_studies.pooled(arms, "adapted", "one")
    studies = [*arms["one"].studies[:1], make_study(tmp_path / "other", {"one": 1.0}, "cell-x")]
    with pytest.raises(SystemExit, match="other test images"):
        pooled_studies.pooled(
            {"one": pooled_studies.PooledArm(studies, "one", "probe")}, "adapted", "one"
        )


def test_studies_share_their_test_cells_and_no_draw(benchmark, runs):
    workdir = pathlib.Path("/somewhere")
    studies = [study for part in benchmark.STUDIES for study in runs.studies(part)]
    assert len({run.path(workdir) for run in studies}) == len(studies)
    seeds = {}
    for run in studies:
        values = run.values(workdir)
        for side in ("id", "ood"):
            assert values[f"{side}.stratify"] == runs.TYPES
            assert values[f"{side}.splits.test"] == runs.SPLITS["test"]
        draws = range(values["seed"], values["seed"] + values["seeds"])
        seeds.setdefault(run.replicate, set()).update(draws)
    assert len(set.union(*seeds.values())) == sum(map(len, seeds.values()))
    for method in runs.METHODS:
        commands = [runs.pretraining_command(workdir, method, k) for k in range(runs.REPLICATES)]
        assert len({command[-1] for command in commands}) == runs.REPLICATES


def test_the_settings_of_every_study_are_right(benchmark, runs):
    for part in benchmark.STUDIES:
        for study in runs.studies(part):
            config = benchmark.ood_own.get_config()
            config.update_from_flattened_dict(study.values(pathlib.Path("/somewhere")))
            settings = StudySettings.from_config(config)
            assert len(settings.select.candidates()) == (6 if part == "gains" else 2)


def test_the_picture_that_is_there_twice_is_dropped(runs, tmp_path):
    for laboratory in runs.LABORATORIES:
        (tmp_path / laboratory).mkdir()
        names = [f"{laboratory}_112", f"{laboratory}_139"]
        table = pd.DataFrame({"path": names, "patient_id": names, "mononuclear": 1})
        table.to_csv(tmp_path / laboratory / "manifest.csv", index=False)
    runs.write_manifests(tmp_path, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "tecom" / "manifest.csv")) == 1
    assert len(pd.read_csv(tmp_path / "out" / "bccd" / "manifest.csv")) == 2
    (tmp_path / "bccd" / "manifest.csv").unlink()
    with pytest.raises(SystemExit, match="set --wbc to the folder of the data"):
        runs.write_manifests(tmp_path, tmp_path / "out")
