"""Time of all probe cells of a label-budget study on made-up embeddings.

    python benchmarks/study_cost.py [--images=20000] [--columns=2048] [--arms=3] [--seeds=10]

There are 8 budgets, 5 labels and two images per patient; 40 % of the images are in-distribution,
20 % are the out-of-distribution test set, the rest is the pool. The benchmark repeats the work of a
study whose embeddings are stored: it draws the budgets, reads the embeddings, solves the
in-distribution probe, and adapts and writes every cell. Prints the seconds of each stage, and the
mean AUROC at each budget.
"""

import argparse
import itertools
import pathlib
import tempfile
import time

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import expit

from remedis.data.manifest import Manifest
from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.l2sp import StartingPoint, adapt
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.linear_probe import linear_probe
from remedis.inference.embedding_store import SHARD_ROWS, EmbeddingStore
from remedis.label_budget import budgets
from remedis.label_budget.cell_store import CellStore, plan_cells
from remedis.preprocess import parse

LABELS = ("a", "b", "c", "d", "e")
BUDGETS = "0, 1%, 5%, 10%, 20%, 33%, 50%, 100%"


def hospital(
    rows: int, columns: int, seed: int, rotation: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns embeddings [rows, columns] float32 and labels [rows, 5] of two images per patient."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1, columns + 1, dtype=np.float32) ** -0.8
    hidden = np.repeat(rng.standard_normal((rows // 2, columns), np.float32) * scale, 2, axis=0)
    hidden += 0.3 * rng.standard_normal(hidden.shape, np.float32) * scale
    logits = hidden[::2] @ weights
    labels = rng.random(logits.shape) < expit(2 * logits / logits.std(axis=0) - 1.5)
    return hidden @ rotation, np.repeat(labels, 2, axis=0).astype(np.float64)


def pool_manifest(labels: np.ndarray) -> Manifest:
    """Returns a manifest with two images per patient."""
    rows = len(labels)
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(rows)],
            "patient_id": [f"p{i // 2}" for i in range(rows)],
            **dict.fromkeys(("study_id", "site"), ""),
            "split": "train",
            **{name: labels[:, i] for i, name in enumerate(LABELS)},
        }
    )
    return Manifest(table, LABELS, pathlib.Path("."), "made up")


def store(folder: pathlib.Path, rows: np.ndarray) -> None:
    """Writes embeddings [rows, columns] as `EmbeddingStore` does; a row's hash is its number."""
    (folder / "key").mkdir(parents=True)
    for first in range(0, len(rows), SHARD_ROWS):
        shard = rows[first : first + SHARD_ROWS]
        names = np.array([f"{first + i}" for i in range(len(shard))])
        np.savez(folder / "key" / f"{first}.npz", sha256=names, embedding=shard)


def not_stored(images: tf.Tensor) -> tf.Tensor:
    """Fails, as all embeddings are stored."""
    raise AssertionError(f"The store lacks the embeddings of {len(images)} images.")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=2048, help="of an embedding")
    parser.add_argument("--arms", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((options.columns, options.columns), np.float32))[0]
    id_weights, noise = rng.standard_normal((2, options.columns, len(LABELS)), np.float32)
    ood_weights = 0.6 * id_weights + 0.8 * noise  # correlation of 0.6 between the hospitals
    inside, id_labels = hospital(2 * options.images // 5, options.columns, 1, rotation, id_weights)
    outside, labels = hospital(3 * options.images // 5, options.columns, 2, rotation, ood_weights)
    tests = options.images // 5
    held = len(inside) // 8

    start = time.perf_counter()
    images = pool_manifest(labels[tests:])
    planned = [
        budget
        for budget in budgets.plan(images, BUDGETS, options.seeds, 0, 0.25)
        if budget.left_out is None
    ]
    print(f"drawing budgets   {time.perf_counter() - start:7.1f} s", flush=True)
    names = [f"arm{i}" for i in range(options.arms)]
    areas: dict[int, list[float]] = {budget.patients: [] for budget in planned}
    reading = solving = adapting = 0.0
    with tempfile.TemporaryDirectory() as folder:
        store(pathlib.Path(folder, "embeddings"), np.concatenate([inside, outside]))
        read = EmbeddingStore(pathlib.Path(folder, "embeddings"))
        wanted = plan_cells(names, {"probe": 1}, planned, options.seeds)
        cells = CellStore(pathlib.Path(folder, "cells"), wanted, (tests, len(LABELS)))
        bounds = np.cumsum([0, held, len(inside) - held, tests, len(outside) - tests])
        for name in names:
            start = time.perf_counter()
            id_validation, id_train, ood_test, ood_pool = (
                read.embeddings(
                    not_stored,
                    "key",
                    pool_manifest(np.zeros((last - first, len(LABELS)))),
                    [f"{i}" for i in range(first, last)],
                    parse("resize(8)"),
                    batch_size=1,
                )
                for first, last in itertools.pairwise(bounds.tolist())
            )
            reading += time.perf_counter() - start
            start = time.perf_counter()
            probe = linear_probe(id_train, id_labels[held:], id_validation, id_labels[:held])
            starting_point = StartingPoint.from_probe(probe, id_train)
            pool, test = (starting_point.project(x) for x in (ood_pool, ood_test))
            solving += time.perf_counter() - start
            start = time.perf_counter()
            for budget in planned:
                for seed, draw in enumerate(budget.draws):
                    adapted = adapt(pool, labels[tests:], draw.train, draw.validation, test)
                    scores = adapted.logits
                    cells.write(Cell(name, "probe", budget.patients, seed), scores, 0.0)
                    areas[budget.patients].append(mean_auroc(labels[:tests], scores) or 0.0)
            areas[0].append(mean_auroc(labels[:tests], test.logits) or 0.0)
            adapting += time.perf_counter() - start
        print(f"reading the store {reading:7.1f} s")
        print(f"ID probes         {solving:7.1f} s", flush=True)
        print(f"{len(cells):4} adapted cells {adapting:8.1f} s")
    for patients, values in areas.items():
        print(f"{patients:7,} patients: mean AUROC {np.mean(values):.3f}")


if __name__ == "__main__":
    main()
