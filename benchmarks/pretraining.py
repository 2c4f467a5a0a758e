"""Self-supervision on real images: the methods, and each augmentation of radiographs left out.

    python benchmarks/pretraining.py --kermany=DIR --nih64=DIR --workdir=runs/transfer \
        --out=docs/results.md [--part=augmentations]

Backbones with random weights are pretrained on the radiographs of `benchmarks/transfer.py` without
their labels, and without the images and patients that its study is tested on. Linear probes then
read their frozen features. Finished runs are not repeated, and a run that was killed resumes.
`benchmarks/transfer.py` with the same `--workdir` draws curves of the backbones of the first part.
"""

import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Sequence

import frozen_features
import results
import transfer
from frozen_features import FrozenFeatures

from remedis.preprocess import parse

SIZE = 64
MILD = (
    "random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | brightness(0.4) | "
    "contrast(0.4)"
)
# The views of the configs, of smaller images: the elastic deformation at 448 pixels would take as
# long as the training.
FULL = parse(f"contrastive_cxr({SIZE})").specification.replace("resize(448)", f"resize({SIZE})")


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """One run.

    Attributes:
      name: of its directory.
      backbone: initial weights, as `config.checkpoint` takes them.
      views: specification of the preprocessing of a view.
      epochs: number of epochs.
      method: name of the self-supervised method.
      options: of the method.
      seed: of the initial weights, and of all random choices.
      rate: the largest learning rate of SGD.
      size: of the images, in pixels.
      warmup: epochs of warm-up.
    """

    name: str
    backbone: str
    views: str
    epochs: int
    method: str = "simclr"
    options: str = "temperature=0.2"
    seed: int = 0
    rate: float = 0.1
    size: int = SIZE
    warmup: float = 0.3

    def command(self, workdir: pathlib.Path) -> list[str]:
        """Returns its command line."""
        overrides = {
            "data": f"csv={workdir / 'data' / 'id'}; csv={workdir / 'data' / 'ood'}",
            "leave_out": workdir / "study",
            "checkpoint": self.backbone,
            "image_size": self.size,
            "preprocess": self.views,
            "method_options": self.options,
            "epochs": self.epochs,
            "warmup_epochs": self.warmup,
            "batch_size": 64,
            "optimizer": "sgd",
            "learning_rate": self.rate,
            "learning_rate_batch": 0,
            "learning_rates": "",
            "seed": self.seed,
        }
        return [
            "pretrain/pretrain.py",
            f"--config=configs/pretrain_own.py:{self.method}",
            *(f"--config.{key}={value}" for key, value in overrides.items()),
            f"--workdir={workdir / self.name}",
        ]

    def run(self, workdir: pathlib.Path) -> pathlib.Path:
        """Does the run unless it is finished, and returns the directory of its checkpoint."""
        export = workdir / self.name / "export"
        if not (workdir / self.name / "results.json").is_file():
            print(f"{self.name} ...", flush=True)
            with open(workdir / f"{self.name}.log", "a") as log:
                process = subprocess.run(
                    [sys.executable, *self.command(workdir)],
                    cwd=transfer.ROOT,
                    stdout=log,
                    stderr=log,
                    check=False,
                )
            if process.returncode:
                raise SystemExit(f"{self.name} failed; see {log.name}.")
        return export


BACKBONE, EPOCHS = "scratch:50x0.5", 3
METHODS = (Pretraining("simclr", BACKBONE, MILD, EPOCHS),)
SHALLOW, SHORT = "scratch:1-1-1-1x0.5", 1


def ablations(seeds: int) -> dict[str, tuple[Pretraining, ...]]:
    """Returns arm -> its runs, one per seed: all operations of a view, or all but one."""
    operations = FULL.split(" | ")
    views = {"all of them": FULL}
    for dropped in operations[1:]:
        rest = " | ".join(operation for operation in operations if operation != dropped)
        views[f"without {dropped.partition('(')[0]}"] = rest
    return {
        arm: tuple(
            Pretraining(f"{arm.replace(' ', '-')}-{seed}", SHALLOW, view, SHORT, seed=seed)
            for seed in range(seeds)
        )
        for arm, view in views.items()
    }


def methods(workdir: pathlib.Path) -> list[str]:
    """Does the missing runs and returns the section of the methods."""
    arms = {run.name: [(str(run.run(workdir)), 0)] for run in METHODS}
    lines = [
        "## Self-supervision on real images: the methods",
        "",
        f"The table compares the backbone `{BACKBONE}` (half of a 50x1's width) before and after "
        f"{EPOCHS} epochs with SGD at a learning rate of "
        f"{', '.join(f'{run.rate} (`{run.name}`)' for run in METHODS)}. The views are "
        f"`{MILD.format(size=SIZE)}`. In the tasks `nih64, N patients`, the labelled patients are "
        f"drawn 10 times from one pool ({transfer.SEEDS} times for the floor of the study above, "
        "which therefore differs), and a quarter of them chooses the penalty; intervals cover test "
        "patients and draws. In the other tasks there is one probe, whose penalty the validation "
        "split chooses; intervals cover test patients. None covers how much another "
        "pool, another pretraining or other initial weights would change the numbers.",
        "",
        *_data(workdir, METHODS),
        "",
    ]
    features = FrozenFeatures(workdir, SIZE, "10%, 33%, 100%", 10)
    arms = {"random weights": [(BACKBONE, 0)], **arms}
    rows, _, from_floor = frozen_features.table(features, arms, "random weights")
    return [*lines, *rows, "", frozen_features.floor_sentences(from_floor)]


def augmentations(workdir: pathlib.Path, seeds: int) -> list[str]:
    """Does the missing runs and returns the section of the augmentations."""
    runs = ablations(seeds)
    arms: dict[str, list[tuple[str, int]]] = {arm: [] for arm in runs}
    # Seed by seed: if the benchmark is interrupted, all arms have about as many runs.
    for seed in range(seeds):
        for arm, by_seed in runs.items():
            arms[arm].append((str(by_seed[seed].run(workdir)), seed))
    intervals = (
        f"There are {seeds} seeds, which also draw the initial weights; intervals cover test "
        "patients and seeds."
        if seeds > 1
        else "There is one seed; intervals cover test patients, but not the difference between "
        "seeds."
    )
    lines = [
        "## Self-supervision on real images: each augmentation left out",
        "",
        f"SimCLR trains `{SHALLOW}`, a shallow backbone, for {SHORT} epoch with SGD. The baseline "
        f"has the views of `contrastive_cxr` on small images, `{FULL}`; each arm `without ...` "
        f"leaves out one operation. {intervals} On grey images the colour distortion changes "
        "brightness and contrast. Relative to the image, the elastic deformation is "
        f"{448 / SIZE:.0f} times as strong as in `contrastive_cxr`, which resizes to 448 pixels.",
        "",
        *_data(workdir, [run for by_seed in runs.values() for run in by_seed]),
        "",
    ]
    arms["random weights"] = [(SHALLOW, seed) for seed in range(seeds)]
    features = FrozenFeatures(workdir, SIZE, "100%", 1)
    rows, differences, from_floor = frozen_features.table(features, arms, "all of them")
    ablated = {key: difference for key, difference in differences.items() if key[0] in runs}
    return [*lines, *rows, "", effects(ablated), frozen_features.floor_sentences(from_floor)]


def effects(differences: frozen_features.Differences) -> str:
    """Returns a sentence about the differences whose interval excludes 0."""
    above, below = frozen_features.sides(differences)
    shown = [
        f"{arm}, {task}: {results.number(difference, '+')}"
        for (arm, task), difference in differences.items()
        if (arm, task) in (*above, *below)
    ]
    if not shown:
        return (
            f"None of the {len(differences)} differences with an operation left out has an "
            "interval that excludes 0: no operation is shown to have an effect."
        )
    return (
        f"The interval excludes 0 for {len(shown)} of the {len(differences)} differences with an "
        f"operation left out: {'; '.join(shown)}. Intervals are 95 % each: of as many differences "
        f"without any effect, {0.05 * len(differences):.1f} would be expected to exclude 0."
    )


def _data(workdir: pathlib.Path, runs: Sequence[Pretraining]) -> list[str]:
    """Returns the paragraph about the data and the tasks of a table."""
    outcomes = [json.loads((workdir / run.name / "results.json").read_text()) for run in runs]
    (images,) = {outcome["data"]["images"] for outcome in outcomes}
    (patients,) = {outcome["data"]["patients"] for outcome in outcomes}
    steps = sorted({outcome["steps"] for outcome in outcomes})
    return [
        f"Pretraining sees {images:,} images of {patients:,} patients of both hospitals without "
        f"their labels, {SIZE} pixels wide, in {' or '.join(f'{count:,}' for count in steps)} "
        "steps of 64 images. It sees no image that the tables are measured on. Linear probes are "
        "fitted on frozen features. A task names the data of a probe: `kermany` learns from "
        "children and is tested on children; `kermany to nih64` learns from children and is tested "
        "on adults of another hospital; `nih64` learns from so many labelled adults alone and is "
        "tested on other adults.",
    ]


def prepare(kermany: pathlib.Path, nih64: pathlib.Path, workdir: pathlib.Path) -> None:
    """Writes the manifests, and the lists of images of the study.

    Every pretraining leaves out the test images of the study, which do not depend on its arms.
    """
    transfer.write_manifests(kermany, nih64, workdir / "data")
    if not (workdir / "study" / "config.json").is_file():
        curves = transfer.command(workdir, f"scratch={BACKBONE}", "scratch")
        subprocess.run([sys.executable, *curves, "--list"], cwd=transfer.ROOT, check=True)


PARTS = ("methods", "augmentations")


def main() -> None:
    """Does the missing runs of a part, or of all parts, and writes its section."""
    parser = transfer.arguments(__doc__)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--seeds", type=int, default=3, help="runs per augmentation left out")
    parsed = parser.parse_args()
    workdir = parsed.workdir.resolve()
    prepare(parsed.kermany, parsed.nih64, workdir)
    for name in [parsed.part] if parsed.part else PARTS:
        if name == "methods":
            lines, first = methods(workdir), METHODS[0]
        else:
            lines = augmentations(workdir, parsed.seeds)
            first = ablations(1)["all of them"][0]
        command = shlex.join(["python", *first.command(workdir)]).replace(str(workdir), "DIR")
        lines += ["", "The command of the first run:", "", "```sh", command, "```"]
        written = (
            "Written by `python benchmarks/pretraining.py --kermany=DIR --nih64=DIR --workdir=DIR "
            f"--out=docs/results.md --part={name}"
            f"{f' --seeds={parsed.seeds}' if name == 'augmentations' else ''}`."
        )
        section = "\n".join([*lines[:2], written, *lines[1:]])
        results.deliver(parsed.out, f"pretraining-{name}", section)


if __name__ == "__main__":
    main()
