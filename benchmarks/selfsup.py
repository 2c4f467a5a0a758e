"""Test of every self-supervised method on made-up radiographs: its backbone must learn something.

    python benchmarks/selfsup.py --workdir=runs/selfsup --out=docs/results.md

A linear probe on frozen features is compared with one on the same backbone at initialisation, on
patients that no training saw. Finished runs are not repeated, and a run that was killed resumes.
The exit status is 1 if the interval of a method's difference does not lie above 0.
"""

import argparse
import dataclasses
import json
import pathlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import finetuning_recipes
import numpy as np
import results

from remedis import options, synthetic
from remedis.evaluation.label_budget import Cell, LabelledTestSet, analyse_study
from remedis.evaluation.linear_probe import linear_probe
from remedis.finetuning import data
from remedis.finetuning.rehearsal import made_once
from remedis.finetuning.settings import DataSettings
from remedis.inference import predict
from remedis.inference.embed import pooled
from remedis.preprocess import parse
from remedis.pretraining import methods as ssl_methods
from remedis.synthetic import chexpert
from remedis.training.run_directory import RunDirectory
from remedis.zoo import resolve
from remedis.zoo.seen_images import SeenImages

# Deep, as the random features of a shallow backbone are hard to beat within a hundred steps.
BACKBONE, SIZE = "50x0.5", 32
# Far more test patients than in a rehearsal, for narrow intervals.
PATIENTS, TEST_PATIENTS = 400, 400
SEED_OF_IMAGES = 1  # backbone, size and settings were chosen on the images of seed 0
SEEDS = 3
INITIALISATION, MODE = "initialisation", "probe"
OVERRIDES = {
    "checkpoint": f"scratch:{BACKBONE}",
    "image_size": str(SIZE),
    "epochs": "2",
    "evaluate_every": "27",
    "checkpoint_every": "27",
}


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """The pretraining job with one method, with the interface of a `finetuning_recipes.Recipe`."""

    name: str

    def command(self, directory: str, seed: str, workdir: str) -> list[str]:
        """Returns the command line of one run on the images in `directory`."""
        settings = {"data": f"chexpert={directory}", "probe.data_dir": directory, "seed": seed}
        return [
            "pretrain/pretrain.py",
            f"--config=configs/pretrain_cxr.py:{self.name},rehearsal",
            *(f"--config.{key}={value}" for key, value in (OVERRIDES | settings).items()),
            f"--workdir={workdir}",
        ]


def images(workdir: pathlib.Path) -> pathlib.Path:
    """Returns the directory of the made-up images, which all runs share."""
    return made_once(
        workdir / "data" / chexpert.NAME,
        lambda: synthetic.write_chexpert(
            workdir / "data", PATIENTS, TEST_PATIENTS, SEED_OF_IMAGES, image_size=64
        ),
    )


def labelled(workdir: pathlib.Path) -> data.RunData:
    """Returns the train, validation and test data of the probes."""
    # The configs import each other as `configs.NAME`.
    sys.path.append(str(finetuning_recipes.ROOT))
    from configs import pretrain_cxr

    config = pretrain_cxr.get_config("rehearsal").probe
    config.data_dir = str(images(workdir))
    directory = RunDirectory(workdir / "probe", config.to_dict())
    return data.prepare(options.settings(DataSettings, config), config.task, directory)


def scores(weights: str, seed: int, splits: data.RunData) -> np.ndarray:
    """Returns the logits [test images, labels] of a linear probe on frozen features.

    Args:
      weights: of the backbone, as `resolve.load_backbone` takes them.
      seed: of the weights, if they are drawn.
      splits: validation chooses the penalty; test chooses nothing.
    """
    compute = pooled(resolve.load_backbone(weights, seed).backbone, "pre_logits")
    preprocess = parse(f"resize({SIZE})", deterministic=True)
    train, validation, test = (
        predict.predict(compute, split, preprocess, 64)
        for split in (splits.train, splits.validation, splits.test)
    )
    probe = linear_probe(train, splits.train.targets(), validation, splits.validation.targets())
    return probe.logits(test)


def measure(methods: Sequence[str], seeds: int, workdir: pathlib.Path) -> dict[str, Any]:
    """Does the missing runs and returns the summary of `analyse_study` with one arm per method.

    It has two more keys: `facts`, the values for `HEAD`, and `minutes`, the mean time of a run by
    method.
    """
    directory, splits = images(workdir), labelled(workdir)
    held_out = splits.test.table["path"].map(splits.hashes)
    cells: dict[Cell, np.ndarray] = {}
    seconds: dict[str, list[float]] = {method: [] for method in methods}
    for seed in range(seeds):
        cells[_cell(INITIALISATION, seed)] = scores(f"scratch:{BACKBONE}", seed, splits)
        for method in methods:
            path = finetuning_recipes.run(Pretraining(method), str(directory), seed, workdir)
            seen = SeenImages.read(path / "export")
            assert seen is not None
            assert not seen.count(held_out)
            cells[_cell(method, seed)] = scores(str(path / "export"), seed, splits)
            seconds[method].append(json.loads(path.with_suffix(".seconds.json").read_text()))
            run = json.loads((path / "results.json").read_text())
    patients = splits.test.table["patient_id"]
    test_set = LabelledTestSet(splits.test.labels, splits.test.targets(), patients)
    return {
        **analyse_study(test_set, cells, INITIALISATION),
        "facts": {
            "runs": len(methods) * seeds,
            "seeds": seeds,
            "steps": run["steps"],
            "images": run["data"]["images"],
            "patients": run["data"]["patients"],
            "labels": len(splits.test.labels),
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
            "judges": patients.nunique(),
        },
        "minutes": {method: float(np.mean(values)) / 60 for method, values in seconds.items()},
    }


def _cell(arm: str, seed: int) -> Cell:
    return Cell(arm, MODE, PATIENTS, seed)


def differences(summary: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Returns per method the AUROC minus that at initialisation: value, low, high."""
    return {
        row["arm"]: row["difference"]
        for row in summary["paired"]
        if row["against"] == INITIALISATION
    }


HEAD = """## Self-supervision on made-up images: does every method learn?

Written by `python benchmarks/selfsup.py --workdir=DIR --out=docs/results.md` on two CPU cores.

The images are **made up**: a program draws them in the layout of CheXpert. Each training is only
long enough to show that features improve. No AUROC here says anything about radiographs, or about
which method is best for them.

The job below ran {runs} times for {steps} steps each, with the rehearsal settings of the method
(`configs/common_pretraining.py`; SGD with a learning rate of 0.1, or 0.003 for Barlow Twins). It
trains a `{backbone}` from random weights on {images} images of {patients} patients, {size} pixels
wide, without their labels. Then a linear probe for {labels} labels is fitted on frozen features
(`pre_logits`) of {train} images of these patients; the other {validation} images choose its
penalty, as they chose the checkpoint to keep. The probe is tested on {test} images of {judges}
patients who took no part in any training or choice. Settings were chosen on other images. The
column "at initialisation" is the same measurement on the weights with which a run began.

AUROC is the mean over labels and over {seeds} seeds; a seed draws weights, views and the order of
the images. Intervals: {interval}; the interval of a difference is paired by patient and by seed.
The range is that of the differences of single seeds. Minutes are those of a whole run, from the
start of the program to its report; the machine may have had other work as well.

| method | at initialisation | pretrained | difference | range, seeds | minutes per run |
|---|---|---|---|---|---|
"""


def section(summary: Mapping[str, Any]) -> str:
    """Returns the section of the document for a summary of `measure`."""
    points = {point["arm"]: point for point in summary["points"]}
    before, seeds = points[INITIALISATION], summary["facts"]["seeds"]
    lines = []
    for method, row in differences(summary).items():
        by_seed = np.subtract(points[method]["per_seed"], before["per_seed"])
        lines.append(
            f"| {method} | {results.number(before['mean'])} | "
            f"{results.number(points[method]['mean'])} | {results.number(row, '+')} | "
            f"{min(by_seed):+.3f} to {max(by_seed):+.3f}, {seeds} | "
            f"{summary['minutes'][method]:.1f} |"
        )
    facts = summary["facts"]
    head = HEAD.format(backbone=BACKBONE, size=SIZE, interval=summary["interval"], **facts)
    command = Pretraining("METHOD").command("DATA", "SEED", "runs/METHOD-SEED")
    outcome = failures(summary) or ["The interval of every difference lies above 0."]
    shown = ["```sh", f"python {shlex.join(command)}", "```"]
    return head + "\n".join([*lines, "", *outcome, "", *shown])


def failures(summary: Mapping[str, Any]) -> list[str]:
    """Returns a sentence for each method whose interval does not lie above 0."""
    return [
        f"{method} was not shown to learn: the AUROC of its linear probe minus that of the same "
        f"backbone at initialisation is {results.number(row, '+')}, with no interval above 0."
        for method, row in differences(summary).items()
        if row["low"] is None or row["low"] <= 0
    ]


def main() -> None:
    """Does the missing runs and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="document to write into; else printed")
    parser.add_argument("--methods", default=",".join(ssl_methods.METHODS), metavar="A,B")
    parser.add_argument("--seeds", default=SEEDS, type=int)
    parsed = parser.parse_args()
    methods = parsed.methods.split(",")
    if unknown := [method for method in methods if method not in ssl_methods.METHODS]:
        parser.error(
            f"--methods has {unknown[0]!r}; expected some of {', '.join(ssl_methods.METHODS)}"
        )
    if parsed.seeds < 1:
        parser.error(f"--seeds is {parsed.seeds}; expected 1 or more")
    parsed.workdir = parsed.workdir.resolve()
    parsed.workdir.mkdir(parents=True, exist_ok=True)
    summary = measure(methods, parsed.seeds, parsed.workdir)
    if parsed.out:
        results.write(parsed.out, "selfsup", section(summary))
    else:
        print(section(summary))
    if sentences := failures(summary):
        raise SystemExit("\n".join(sentences))


if __name__ == "__main__":
    main()
