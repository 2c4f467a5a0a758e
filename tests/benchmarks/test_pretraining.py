"""The benchmark of pretraining: arms differ only in the operation they name."""

import dataclasses
import pathlib

import pytest

from remedis.preprocess import parse


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("pretraining")


def test_an_ablation_drops_one_operation_of_the_documented_views(benchmark):
    arms = benchmark.ablations(2)
    documented = parse("contrastive_cxr(64)").specification.split(" | ")
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


def test_only_differences_whose_interval_excludes_0_are_shown(benchmark):
    none = {"value": 0.01, "low": -0.02, "high": 0.03}
    worse = {"value": -0.05, "low": -0.08, "high": -0.01}
    better = {"value": 0.05, "low": 0.01, "high": 0.08}
    tasks = [("without rotate", "kermany"), ("without blur", "kermany"), ("without blur", "nih64")]
    differences = dict(zip(tasks, (worse, none, better), strict=True))
    assert list(benchmark.shown(differences)) == [tasks[0], tasks[2]]


NONE = {"value": 0.01, "low": -0.02, "high": 0.03}
WORSE = {"value": -0.05, "low": -0.08, "high": -0.01}
UNKNOWN = {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (
            WORSE,
            "The interval excludes 0 for 1 of the 2 differences with an operation left out: "
            "without blur, kermany: -0.050 [-0.080, -0.010]. Without any effect, about 0.1 of so",
        ),
        (NONE, "None of the 2 differences with an operation left out has an interval that excl"),
        (UNKNOWN, "None of the 2 differences with an operation left out has an interval that ex"),
    ],
)
def test_the_sentence_about_effects_is_that_of_the_intervals(benchmark, second, sentence):
    tasks = (("without rotate", "kermany"), ("without blur", "kermany"))
    assert benchmark._effects(dict(zip(tasks, (NONE, second), strict=True))).startswith(sentence)
