"""The benchmark of pretraining: what it compares differs in what it says, and in nothing else."""

import pathlib

import pytest

from remedis.preprocess import parse


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("pretraining")


def test_an_ablation_drops_one_operation_of_the_documented_views(benchmark):
    runs = benchmark.ablations(2)
    documented = parse("contrastive_cxr(64)").specification.split(" | ")
    whole = runs.pop("all of them")
    assert [one.partition(" ")[2] for one in runs] == [one.partition("(")[0] for one in documented]
    for (what, those), operation in zip(runs.items(), documented, strict=True):
        assert what == f"without {operation.partition('(')[0]}"
        for seed, (one, full) in enumerate(zip(those, whole, strict=True)):
            assert one.seed == full.seed == seed
            kept = [part for part in full.views.split(" | ") if part != operation]
            assert one.views == " | ".join(kept)
            assert (one.backbone, one.epochs, one.options) == (
                full.backbone,
                full.epochs,
                full.options,
            )


def test_runs_have_a_directory_each_and_leave_out_what_they_are_judged_on(benchmark):
    runs = [
        *benchmark.METHODS,
        *(run for those in benchmark.ablations(2).values() for run in those),
    ]
    assert len({run.name for run in runs}) == len(runs)
    workdir = pathlib.Path("/somewhere")
    for run in runs:
        assert f"--config.leave_out={workdir / 'study'}" in run.command(workdir)


def test_only_differences_whose_interval_leaves_out_0_are_told(benchmark):
    none = {"value": 0.01, "low": -0.02, "high": 0.03}
    worse = {"value": -0.05, "low": -0.08, "high": -0.01}
    rotate, blur = ("without rotate", "kermany"), ("without blur", "kermany")
    assert benchmark._shown({rotate: none}).startswith("Of 1 differences of an operation left out,")
    assert "none has an interval without 0" in benchmark._shown({rotate: none, blur: none})
    told = benchmark._shown({rotate: worse, blur: none})
    assert told.endswith("without 0: without rotate, kermany: -0.050 [-0.080, -0.010].")
