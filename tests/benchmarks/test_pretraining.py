"""The benchmark of pretraining: arms differ only in the operation they name."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis.data.manifest import Manifest
from remedis.preprocess import parse


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("pretraining")


def test_an_ablation_drops_one_operation_of_the_documented_views(benchmark):
    arms = benchmark.ablations(2)
    documented = parse("contrastive_cxr(64)").specification.split(" | ")[1:]
    complete = arms.pop("all of them")
    assert list(arms) == [f"without {operation.partition('(')[0]}" for operation in documented]
    for runs, operation in zip(arms.values(), documented, strict=True):
        for seed, (run, full) in enumerate(zip(runs, complete, strict=True)):
            assert run.seed == full.seed == seed
            others = [other for other in full.views.split(" | ") if other != operation]
            assert dataclasses.replace(run, name="", views="") == dataclasses.replace(
                full, name="", views=""
            )
            assert run.views == " | ".join(others)


def test_runs_have_a_directory_each_and_leave_out_the_images_of_the_study(benchmark):
    ablations = benchmark.ablations(2).values()
    runs = [*benchmark.METHODS, *(run for by_seed in ablations for run in by_seed)]
    assert len({run.name for run in runs}) == len(runs)
    workdir = pathlib.Path("/somewhere")
    for run in runs:
        assert f"--config.leave_out={workdir / 'study'}" in run.command(workdir)


def test_the_long_run_has_the_recipe_that_is_best_on_validation(load_benchmark):
    stronger = load_benchmark("stronger_pretraining")
    first, second, third = stronger.RECIPES
    for recipe in stronger.RECIPES.values():
        assert parse(recipe.views.format(size=recipe.size))
    assert stronger.best({first: 0.7, second: 0.8, third: 0.8}) == second
    recipe = stronger.RECIPES[second]
    run = stronger.longer(recipe, 60)
    assert run.name not in {other.name for other in stronger.RECIPES.values()}
    same = {"name": "", "epochs": 0, "warmup": 0.0}
    assert dataclasses.replace(run, **same) == dataclasses.replace(recipe, **same)
    command = run.command(pathlib.Path("/somewhere"))
    assert {"--config.image_size=96", "--config.epochs=60"} < set(command)


NONE = {"value": 0.01, "low": -0.02, "high": 0.03}
WORSE = {"value": -0.05, "low": -0.08, "high": -0.01}
BETTER = {"value": 0.05, "low": 0.01, "high": 0.08}
UNKNOWN = {"value": None, "low": None, "high": None}


def test_effects_are_the_differences_whose_interval_excludes_0(benchmark):
    tasks = [("without rotate", "kermany"), ("without blur", "kermany"), ("without blur", "nih64")]
    assert benchmark.effects(dict(zip(tasks, (WORSE, NONE, BETTER), strict=True))) == (
        "The interval excludes 0 for 2 of the 3 differences with an operation left out: without "
        "rotate, kermany: -0.050 [-0.080, -0.010]; without blur, nih64: +0.050 [+0.010, +0.080]. "
        "Intervals are 95 % each: of as many differences without any effect, 0.2 would be expected "
        "to exclude 0."
    )
    assert benchmark.effects(dict(zip(tasks, (NONE, NONE, UNKNOWN), strict=True))) == (
        "None of the 3 differences with an operation left out has an interval that excludes 0: no "
        "operation is shown to have an effect."
    )


def test_the_floor_is_told_from_above_below_and_neither(benchmark):
    sentences = benchmark.frozen_features.floor_sentences
    arms = [("simclr", "kermany"), ("simclr", "nih64"), ("random weights", "nih64")]
    text = sentences(dict(zip(arms, (BETTER, NONE, WORSE), strict=True)))
    assert (
        "lies above 0 for simclr (kermany: +0.050 [+0.010, +0.080]) and below 0 for random weights "
        "(nih64: -0.050 [-0.080, -0.010]). For the other 1 it includes 0."
    ) in text
    text = sentences({arms[0]: BETTER, arms[1]: UNKNOWN})
    assert text.endswith("and below 0 for none. For 1 it is not estimable.")


def test_thumbnails_tell_images_apart_that_differ_in_grey(load_benchmark, tmp_path):
    thumbnails = load_benchmark("thumbnails")
    rng, rows = np.random.default_rng(0), []
    for i in range(40):
        grey = rng.integers(0, 60, (30, 20)) + 80 * (i % 2)
        Image.fromarray(grey.astype(np.uint8)).save(tmp_path / f"{i}.png")
        rows.append({"path": f"{i}.png", "patient_id": str(i), "x": i % 2})
    table = pd.DataFrame(rows).assign(study_id=None, site=None, split="train")
    images = Manifest(table, ("x",), tmp_path, "made up")
    got = thumbnails.features(images)
    assert got.shape == (40, 160)
    np.testing.assert_allclose(got[:, 144:].sum(axis=1), 1, rtol=1e-5)
    logits = thumbnails.logits(images, images, images)[:, 0]
    assert logits[1::2].min() > logits[::2].max()
