"""Every method of self-supervision on made-up radiographs: does its backbone learn something?

    python benchmarks/selfsup.py --workdir=runs/selfsup --out=docs/results.md

A linear probe on frozen features is held against one on the same backbone at initialisation, on
patients that no training saw. Runs that are finished are not done again; one that was killed goes
on. Ends with status 1 if a method's interval does not lie above 0.
"""

import argparse
import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import recipes
import results

from remedis import files, synthetic
from remedis.evaluation.label_budget.cells import Cell, Examined
from remedis.evaluation.label_budget.study import study
from remedis.evaluation.probes import linear_probe
from remedis.finetuning import data
from remedis.finetuning.rehearsal import made_once
from remedis.inference import predict
from remedis.inference.embed import pooled
from remedis.preprocess import parse
from remedis.pretraining import methods as ssl_methods
from remedis.synthetic import chexpert
from remedis.training.run_directory import RunDirectory
from remedis.zoo import resolve
from remedis.zoo.seen_images import SeenImages

# Deep: the random features of a shallow backbone are hard to beat within a hundred steps.
BACKBONE, SIZE = "50x0.5", 32
# Far more are tested on than in a rehearsal: what the patients leave open should be little.
PATIENTS, TEST_PATIENTS = 400, 400
SEED_OF_IMAGES = 1  # with those of 0 backbone, size and settings were chosen
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
    """The pretraining job with one method, as `recipes.run` takes it."""

    name: str

    def command(self, directory: str, seed: str, workdir: str) -> list[str]:
        """Returns the command line of one run; `directory` is that of the images."""
        own = {"data": f"chexpert={directory}", "probe.data_dir": directory, "seed": seed}
        return [
            "pretrain/pretrain.py",
            f"--config=configs/pretrain_cxr.py:{self.name},rehearsal",
            *(f"--config.{key}={value}" for key, value in (OVERRIDES | own).items()),
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
    """Returns what probes learn from, choose by and are judged on."""
    # The configs import what they share as `configs.common`, as the jobs let them.
    sys.path.append(str(recipes.ROOT))
    from configs import pretrain_cxr

    config = pretrain_cxr.get_config("rehearsal").probe
    config.data_dir = str(images(workdir))
    return data.prepare(config, RunDirectory(workdir / "probe", config.to_dict()))


def scores(spec: str, seed: int, parts: data.RunData) -> np.ndarray:
    """Returns the logits [test images, labels] of a linear probe on frozen features.

    Args:
      spec: of the backbone, as `resolve.load` takes it.
      seed: of its weights, if they are drawn.
      parts: the penalty is chosen on validation; test chooses nothing.
    """
    compute = pooled(resolve.load(spec, seed).backbone, "pre_logits")
    preprocess = parse(f"resize({SIZE})", deterministic=True)
    x, vx, tx = (
        predict.predict(compute, part, preprocess, 64)
        for part in (parts.train, parts.validation, parts.test)
    )
    return linear_probe(x, parts.train.targets(), vx, parts.validation.targets()).logits(tx)


def learnt(methods: Sequence[str], seeds: int, workdir: pathlib.Path) -> dict[str, Any]:
    """Returns what `study` makes of all methods, after the runs that are missing.

    Beside its keys there are `facts`, what `HEAD` names, and `minutes`, of a run by method.
    """
    directory, parts = images(workdir), labelled(workdir)
    held_out = parts.test.table["path"].map(parts.hashes)
    cells, seconds, seen = {}, {method: [] for method in methods}, {}
    for seed in range(seeds):
        cells[_cell(INITIALISATION, seed)] = scores(f"scratch:{BACKBONE}", seed, parts)
        for method in methods:
            path = recipes.run(Pretraining(method), str(directory), seed, workdir)
            assert not SeenImages.read(path / "export").count(held_out)
            cells[_cell(method, seed)] = scores(str(path / "export"), seed, parts)
            seconds[method].append(files.read_json(path.with_suffix(".seconds.json")))
            seen = files.read_json(path / "results.json")
    patients = parts.test.table["patient_id"]
    examined = Examined(parts.test.labels, parts.test.targets(), patients)
    return {
        **study(examined, cells, INITIALISATION),
        "facts": {
            "runs": len(methods) * seeds,
            "seeds": seeds,
            "steps": seen["steps"],
            "images": seen["data"]["images"],
            "patients": seen["data"]["patients"],
            "labels": len(parts.test.labels),
            "train": len(parts.train),
            "validation": len(parts.validation),
            "test": len(parts.test),
            "judges": patients.nunique(),
        },
        "minutes": {method: float(np.mean(of)) / 60 for method, of in seconds.items()},
    }


def _cell(arm: str, seed: int) -> Cell:
    return Cell(arm, MODE, PATIENTS, seed)


def differences(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Returns by method the AUROC less that at initialisation: value, low, high."""
    return {
        row["arm"]: row["difference"] for row in found["paired"] if row["against"] == INITIALISATION
    }


HEAD = """## Self-supervision on made-up images: does every method learn?

Written by `python benchmarks/selfsup.py --workdir=DIR --out=docs/results.md` on two CPU cores.

The images are **made up**, drawn by a program in the layout of CheXpert, and each training is far
too short for anything but to see that features get better: no AUROC here says anything about
radiographs, nor which method is best for them.

{runs} runs of the job below, of {steps} steps each, with what a rehearsal of the method is set to
(`configs/common_pretraining.py`; SGD at a rate of 0.1, of 0.003 for Barlow Twins): a `{backbone}`
from random weights, {size} pixels, {images} images of {patients} patients, labels hidden. Then a
linear probe of {labels} labels is fitted on frozen features (`pre_logits`) of {train} images of
these patients, its penalty (and, before, the checkpoint that is kept) chosen on the other
{validation}, and judged on {test} images of {judges} patients that neither trained nor chose
anything; settings were tried on other images. "At initialisation" is the same for the very weights
that a run began with.

AUROC, mean over labels and over {seeds} seeds; a seed draws weights, views and the order of images.
Intervals: {interval}; that of the difference is paired, by patient and by seed. The range is that
of the differences of single seeds. Minutes are those of a whole run, from the start of the program
to its report, on a machine that may have had other work as well.

| method | at initialisation | pretrained | difference | range, seeds | minutes a run |
|---|---|---|---|---|---|
"""


def section(found: Mapping[str, Any]) -> str:
    """Returns the section of the results, of what `learnt` found."""
    points = {point["arm"]: point for point in found["points"]}
    before, seeds = points[INITIALISATION], found["facts"]["seeds"]
    lines = []
    for method, row in differences(found).items():
        by_seed = np.subtract(points[method]["per_seed"], before["per_seed"])
        lines.append(
            f"| {method} | {_number(before['mean'])} | {_number(points[method]['mean'])} | "
            f"{_number(row, '+')} | {min(by_seed):+.3f} to {max(by_seed):+.3f}, {seeds} | "
            f"{found['minutes'][method]:.1f} |"
        )
    head = HEAD.format(backbone=BACKBONE, size=SIZE, interval=found["interval"], **found["facts"])
    command = Pretraining("METHOD").command("DATA", "SEED", "runs/METHOD-SEED")
    outcome = failures(found) or ["Every interval of a difference lies above 0."]
    shown = ["```sh", f"python {shlex.join(command)}", "```"]
    return head + "\n".join([*lines, "", *outcome, "", *shown])


def failures(found: Mapping[str, Any]) -> list[str]:
    """Returns a sentence for every method whose interval does not lie above 0."""
    return [
        f"{method} was not shown to learn: its linear probe differs by {_number(row, '+')} "
        "in AUROC from that of the same backbone at initialisation: the interval is not above 0."
        for method, row in differences(found).items()
        if not row["low"] > 0
    ]


def _number(estimate: Mapping[str, float], sign: str = "") -> str:
    value, low, high = (f"{estimate[end]:{sign}.3f}" for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def main() -> None:
    """Does the runs that are missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="document to write into; printed without")
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
    found = learnt(methods, parsed.seeds, parsed.workdir)
    if parsed.out:
        results.write(parsed.out, "selfsup", section(found))
    else:
        print(section(found))
    if sentences := failures(found):
        raise SystemExit("\n".join(sentences))


if __name__ == "__main__":
    main()
