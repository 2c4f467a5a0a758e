"""Commands that are killed at any moment and run again end like undisturbed ones.

Each result file is compared, and every file that a run leaves: an undisturbed run leaves the same.
"""

import dataclasses
import json
import pathlib
import random
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_study import small_config, summary_of, write_hospital

from remedis.zoo import checkpoint

HELPERS = pathlib.Path(__file__).parents[1] / "helpers"
TINY = "scratch:1-1-1-1x0.5"


@dataclasses.dataclass(frozen=True)
class Case:
    """A command, and how its results are compared.

    Attributes:
      arguments: of `remedis`; `{folder}` is the folder of a run, `{data}` that of the data.
      results: plain values or tables of a finished folder, equal in any two runs.
      modules: imported once for all runs.
      before: Python code that makes the work small.
      again: how a run that was killed after its last file was written refuses the next one.
    """

    arguments: tuple[str, ...]
    results: Callable[[pathlib.Path], dict[str, Any]]
    modules: tuple[str, ...]
    before: str = ""
    again: str = ""


def built(folder):
    backbone = checkpoint.load_backbone(folder / "out" / "cxr-50x1-remedis-m")
    variables = {k: v.numpy() for k, v in backbone.named_variables().items()}
    record = json.loads((folder / "out" / "cxr-50x1-remedis-m" / "remedis.json").read_text())
    record["provenance"].pop("command")
    return variables | {"record": record}


def prepared(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }


def embedded(folder):
    return {"bytes": (folder / "out.parquet").read_bytes()}


def studied(folder):
    study = folder / "study"
    cells = {}
    for file in sorted((study / "cells").rglob("*.npz")):
        with np.load(file) as content:
            cells[file.name] = content["scores"]
    return cells | {
        "summary": summary_of(study),
        "curves": (study / "curves.csv").read_text(),
        "judged": (study / "judged.json").read_text(),
    }


CASES = {
    "build": Case(
        ("build", "--model=cxr-50x1-remedis-m", "--weights=random:0", "--out={folder}/out"),
        built,
        ("remedis.zoo.builder",),
        # Tracing the signatures takes a minute and writes nothing.
        "from remedis.zoo import serving\n"
        "serving.ServedBackbone.saved_signatures = lambda _: {}\n"
        "serving.ServedModel.saved_signatures = lambda _: {}\n",
        "exists already",
    ),
    "prepare": Case(
        (
            "prepare",
            "{data}/id/manifest.csv",
            "--labels=square,noise",
            "--name=packed",
            "--preprocess=resize(24)",
            "--out={folder}/out",
        ),
        prepared,
        ("remedis.data.prepare", "tensorflow_datasets"),
        again="exists already",
    ),
    "embed": Case(
        (
            "embed",
            TINY,
            "{data}/id",
            "--preprocess=resize(32)",
            "--batch-size=4",
            "--store={folder}/store",
            "--out={folder}/out.parquet",
        ),
        embedded,
        ("remedis.inference.embed",),
        "from remedis.inference import embedding_store\nembedding_store.SHARD_ROWS = 8\n",
    ),
    "ood-curves": Case(
        (
            "ood-curves",
            "--config={data}/study.py",
            "--workdir={folder}/study",
        ),
        studied,
        ("remedis.label_budget", "remedis.reporting.label_budget_report"),
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    hospitals = write_hospital(root / "id", 0, 240), write_hospital(root / "ood", 1, 0)
    splits = {"train": 0.4, "validation": 0.2, "test": 0.4}
    config = small_config(
        hospitals,
        TINY,
        splits,
        arms=f"one={TINY}",
        baseline="one",
        labels=("square",),
        budgets="0, 8",
        seeds=1,
        modes=("probe", "finetune"),
        select="learning_rate=0.5",
    )
    text = repr(json.dumps(config.to_dict()))
    (root / "study.py").write_text(
        "import json, ml_collections\nfrom configs import ood_own\n\n\n"
        "def get_config():\n"
        "    config = ood_own.get_config()\n"
        f"    config.update(json.loads({text}))\n"
        "    return config\n"
    )
    return root


def check_kills(case: Case, data, tmp_path, moments: int) -> None:
    seed = random.randrange(2**31)
    plan = tmp_path / "plan.json"
    arguments = [part.replace("{data}", str(data)) for part in case.arguments]
    values = {
        "arguments": arguments,
        "root": str(tmp_path / "runs"),
        "moments": moments,
        "seed": seed,
        "modules": case.modules,
        "before": case.before,
    }
    plan.write_text(json.dumps(values))
    command = [sys.executable, str(HELPERS / "kill_moments.py"), str(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    alone, *lives = map(json.loads, done.stdout.splitlines())
    assert alone["ended"] == [0], pathlib.Path(f"{alone['folder']}.log").read_text()
    expected = case.results(pathlib.Path(alone["folder"]))
    for life in lives:
        about = (seed, life["moment"])
        folder = pathlib.Path(life["folder"])
        log = pathlib.Path(f"{folder}.log").read_text()
        if life["ended"][-1]:
            assert case.again, (about, log)
            assert case.again in log.splitlines()[-1], (about, log)
        assert_equal(case.results(folder), expected, about)
        assert left(life["names"]) == left(alone["names"]), about
    killed = [life["moment"] for life in lives if life["ended"][0]]
    assert len(killed) == moments
    unfinished = sum(len(left(life["at_kill"]) - left(alone["names"])) for life in lives)
    print(f"seed {seed}: killed after {killed} s; {unfinished} unfinished files, none left")


def left(names):
    """Returns what a run has left, by names that any two runs have in common."""
    # Python files of TensorFlow and an empty folder of TFDS, which both remove when a process ends
    # by itself. TensorBoard's files have the time and the process in their names, and each start
    # of a training writes one.
    kept = {name for name in names if not re.match(r"__autograph_generated_file|tmp\w+tfds$", name)}
    return {re.sub(r"(tfevents)\..*", r"\1", name) for name in kept}


def assert_equal(found, expected, about):
    assert found.keys() == expected.keys(), about
    for name, value in expected.items():
        np.testing.assert_equal(found[name], value, err_msg=f"{about} {name}")


@pytest.mark.slow
@pytest.mark.parametrize("job", CASES)
def test_killed_at_ten_random_moments(job, data, tmp_path):
    check_kills(CASES[job], data, tmp_path, 10)


@pytest.mark.guarantee
@pytest.mark.parametrize("job", ["embed", "ood-curves"])
def test_killed_at_a_random_moment(job, data, tmp_path):
    check_kills(CASES[job], data, tmp_path, 1)
