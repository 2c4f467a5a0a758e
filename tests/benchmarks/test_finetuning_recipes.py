"""The benchmark of the fine-tuning recipes: repeated runs, refused runs, means over runs."""

import json
import pathlib
import subprocess
import types

import numpy as np
import pandas as pd
import pytest

from remedis.evaluation.auroc import auroc
from remedis.evaluation.repeated_runs import auroc_over_runs


@pytest.fixture(scope="module")
def recipes(load_benchmark):
    return load_benchmark("finetuning_recipes")


def test_a_section_of_the_results_is_replaced_and_leaves_the_others(recipes, tmp_path):
    document, write = tmp_path / "results.md", recipes.results.write
    write(document, "one", "## One\n\n\\1 first")
    write(document, "two", "## Two")
    before = document.read_text()
    write(document, "one", "## One\n\nsecond")
    assert document.read_text() == before.replace("\\1 first", "second")
    recipes.results.drop(document, "one")
    assert document.read_text() == before.replace(
        "<!-- one -->\n\n## One\n\n\\1 first\n\n<!-- end of one -->\n\n", ""
    )
    with pytest.raises(SystemExit, match="has no section one"):
        recipes.results.drop(document, "one")


@pytest.fixture
def job(monkeypatch):
    """Replaces the fine-tuning job by one that only writes the results of a finished run."""

    job = types.SimpleNamespace(calls=[], refuses=False)

    def run(command, stdout, **_):
        job.calls.append(command)
        workdir = pathlib.Path(command[-1].partition("=")[2])
        if job.refuses:
            stdout.write("some line\nUserError: holds a run with another config\n")
        else:
            workdir.mkdir(exist_ok=True)
            (workdir / "results.json").write_text('{"random_weights": true}')
        return subprocess.CompletedProcess(command, int(job.refuses))

    monkeypatch.setattr(subprocess, "run", run)
    return job


def test_a_finished_run_is_checked_against_its_recipe_and_keeps_its_seconds(recipes, job, tmp_path):
    recipe = recipes.RECIPES[0]
    path = recipes.run(recipe, "data", 3, tmp_path)
    assert path == tmp_path / f"{recipe.name}-3"
    assert job.calls[0][1:] == recipe.command("data", "3", str(path))
    clock = tmp_path / f"{recipe.name}-3.seconds.json"
    assert 0 <= json.loads(clock.read_text()) < 5
    clock.write_text("100.0")
    recipes.run(recipe, "data", 3, tmp_path)
    assert len(job.calls) == 2
    assert json.loads(clock.read_text()) == 100
    job.refuses = True
    with pytest.raises(SystemExit, match=r"-3 failed: UserError: holds a run with another config"):
        recipes.run(recipe, "data", 3, tmp_path)
    assert json.loads(clock.read_text()) == 100


def test_a_run_that_was_killed_adds_its_seconds(recipes, job, tmp_path):
    recipe = recipes.RECIPES[0]
    (tmp_path / f"{recipe.name}-0.seconds.json").write_text("100.0")
    recipes.run(recipe, "data", 0, tmp_path)
    assert json.loads((tmp_path / f"{recipe.name}-0.seconds.json").read_text()) > 100


def test_a_row_has_the_mean_of_the_runs_and_its_interval(recipes, tmp_path):
    rng = np.random.default_rng(0)
    label = (rng.random(90) < 0.4).astype(float)
    paths, scores = [], []
    for i in range(3):
        path = tmp_path / f"run-{i}"
        path.mkdir()
        scores.append(rng.normal(size=90) + label)
        table = pd.DataFrame({"path": [f"{k}.png" for k in range(90)], "split": "test"})
        table["patient_id"] = [f"p{k // 2}" for k in range(90)]
        table["label/x"], table["score/x"] = label, scores[i]
        other = table.assign(split="validation")
        pd.concat([other, table]).to_parquet(path / "predictions.parquet")
        (path / "results.json").write_text('{"random_weights": true}')
        path.with_suffix(".seconds.json").write_text("90.0")
        paths.append(path)
    cells = recipes.row(recipes.RECIPES[0], paths).split(" | ")
    want = auroc_over_runs(label[:, None], np.stack(scores)[..., None], np.arange(90) // 2)
    assert cells[2] == want.interval
    areas = [auroc(label[:, None], score[:, None])[0, 0] for score in scores]
    assert cells[3] == f"{min(areas):.3f} to {max(areas):.3f}, 3"
    assert cells[4] == f"{want.patients}, {want.positives}"
    assert cells[5] == "1.5 |"
