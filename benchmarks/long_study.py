"""Memory, open files and threads of one process over the cells of a long study.

    python benchmarks/long_study.py [--seeds=10]

A study of two hospitals of made-up images and a tiny network runs in one process: the modes `probe`
and `finetune`, three budgets. After every cell the resident memory, the open file
descriptors and the threads are read from /proc. The first quarter of the cells of a mode, which
traces functions and fills caches, is left out of the slope.

With --seeds=5:

| mode | cells | MB at first | MB at last | kB per cell | files | threads |
|---|---|---|---|---|---|---|
| probe | 16 | 853 | 853 | 4 | 7 to 7 | 13 to 13 |
| finetune | 16 | 1233 | 1268 | 131 | 7 to 7 | 13 to 13 |
"""

import argparse
import logging
import os
import pathlib
import tempfile
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from configs import ood_own
from remedis import label_budget
from remedis.evaluation.label_budget import Cell
from remedis.label_budget.cell_store import CellStore
from remedis.training.determinism import prepare_process

PATIENTS, SIZE = 60, 32


def write_hospital(root: pathlib.Path, seed: int, shade: int) -> pathlib.Path:
    """Writes one image per patient, half of them with a square, and a manifest."""
    root.mkdir()
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(PATIENTS):
        pixels = rng.integers(40, 120, (SIZE, SIZE), dtype=np.uint8)
        if i % 2:
            top, left = rng.integers(2, 18, 2)
            pixels[top : top + 12, left : left + 12] = shade
        Image.fromarray(pixels).save(root / f"{i}.png")
        rows.append((f"{i}.png", f"{root.name}{i}", i % 2))
    columns = ["path", "patient_id", "square"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "manifest.csv", index=False)
    return root


def config(root: pathlib.Path, seeds: int) -> Any:
    """Returns the config of the study."""
    made = ood_own.get_config()
    hospitals = [write_hospital(root / name, i, 240) for i, name in enumerate(("id", "ood"))]
    made.update(
        arms="tiny=scratch:1-1-1-1x0.5",
        baseline="tiny",
        id_data_dir=str(hospitals[0]),
        ood_data_dir=str(hospitals[1]),
        labels=("square",),
        budgets="0, 10, 20",
        image_size=SIZE,
        modes=("probe", "finetune"),
        select="learning_rate=0.5",
        seeds=seeds,
        id_trainings=1,
        resamples=50,
        target=0.9,
    )
    for part in (made.id, made.ood):
        part.update(steps=4, evaluate_every=2, checkpoint_every=2, batch_size=8)
        part.splits = {"train": 0.4, "validation": 0.2, "test": 0.4}
    return made


def usage() -> tuple[float, int, int]:
    """Returns resident MB, open file descriptors and threads of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines())
    resident = int(values["VmRSS"].split()[0]) / 1024
    return resident, len(os.listdir("/proc/self/fd")), int(values["Threads"])


def measured(study: Any, workdir: pathlib.Path) -> dict[str, list[tuple[float, int, int]]]:
    """Runs the study; returns the usage after each cell, by mode."""
    found: dict[str, list[tuple[float, int, int]]] = {}
    write = CellStore.write

    def written(store: CellStore, cell: Cell, *results: Any) -> None:
        write(store, cell, *results)
        found.setdefault(cell.mode, []).append(usage())

    CellStore.write = written  # type: ignore[assignment,method-assign]
    try:
        label_budget.run(study, workdir)
    finally:
        CellStore.write = write  # type: ignore[method-assign]
    return found


def main() -> None:
    """Prints a row per mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        found = measured(config(root, arguments.seeds), root / "study")
    print("| mode | cells | MB at first | MB at last | kB per cell | files | threads |")
    print("|---|---|---|---|---|---|---|")
    for mode, rows in found.items():
        steady = rows[len(rows) // 4 :]
        slope = np.polyfit(np.arange(len(steady)), [row[0] for row in steady], 1)[0]
        descriptors, threads = (f"{steady[0][i]} to {steady[-1][i]}" for i in (1, 2))
        print(
            f"| {mode} | {len(rows)} | {rows[0][0]:.0f} | {rows[-1][0]:.0f} | "
            f"{1024 * slope:.0f} | {descriptors} | {threads} |"
        )


if __name__ == "__main__":
    main()
