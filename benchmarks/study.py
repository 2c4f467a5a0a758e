"""All probe cells of a label-budget study on made-up embeddings: what one more study costs.

    python benchmarks/study.py [--images=20000] [--columns=2048] [--arms=3] [--seeds=10]

8 budgets, 5 labels, two images a patient; 40 % of the images are in-distribution, 20 % are the
out-of-distribution test set, the rest is the pool. Budgets are drawn, stored embeddings are read,
the in-distribution probe is solved, and every cell is adapted and written, as the engine does once
embeddings are there. Prints the seconds of each part, and the mean AUROC at each budget.
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
from remedis.evaluation import probes
from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.l2sp import Embedded, Prior, adapted
from remedis.inference.embedding_store import SHARD_ROWS, EmbeddingStore
from remedis.label_budget import budgets
from remedis.label_budget.cell_store import Cells, grid
from remedis.preprocess import parse

LABELS = ("a", "b", "c", "d", "e")
BUDGETS = "0, 1%, 5%, 10%, 20%, 33%, 50%, 100%"


def hospital(
    rows: int, columns: int, seed: int, turned: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns embeddings [rows, columns] float32 and labels [rows, 5], shared by two images."""
    rng = np.random.default_rng(seed)
    falling = np.arange(1, columns + 1, dtype=np.float32) ** -0.8
    hidden = np.repeat(rng.standard_normal((rows // 2, columns), np.float32) * falling, 2, axis=0)
    hidden += 0.3 * rng.standard_normal(hidden.shape, np.float32) * falling
    logits = hidden[::2] @ weights
    labels = rng.random(logits.shape) < expit(2 * logits / logits.std(axis=0) - 1.5)
    return hidden @ turned, np.repeat(labels, 2, axis=0).astype(np.float64)


def pool_manifest(labels: np.ndarray) -> Manifest:
    """Returns the manifest of the pool, two images a patient."""
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
    return Manifest(table, LABELS, ".", "made up")


def store(folder: pathlib.Path, rows: np.ndarray) -> None:
    """Writes embeddings [rows, columns] as `EmbeddingStore` does, the hash of each its number."""
    (folder / "key").mkdir(parents=True)
    for first in range(0, len(rows), SHARD_ROWS):
        part = rows[first : first + SHARD_ROWS]
        names = np.array([f"{first + i}" for i in range(len(part))])
        np.savez(folder / "key" / f"{first}.npz", sha256=names, embedding=part)


def computed_anew(images: tf.Tensor) -> tf.Tensor:
    """Fails: all embeddings are stored."""
    raise AssertionError("An embedding was not found in the store.")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--arms", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.standard_normal((asked.columns, asked.columns), np.float32))[0]
    home, away = rng.standard_normal((2, asked.columns, len(LABELS)), np.float32)
    away = 0.6 * home + 0.8 * away  # what tells of a label differs between the hospitals
    inside, y = hospital(2 * asked.images // 5, asked.columns, 1, turned, home)
    outside, labels = hospital(3 * asked.images // 5, asked.columns, 2, turned, away)
    tests = asked.images // 5
    held = len(inside) // 8

    start = time.perf_counter()
    planned = budgets.plan(pool_manifest(labels[tests:]), BUDGETS, asked.seeds, 0, 0.25)
    print(f"drawing budgets   {time.perf_counter() - start:7.1f} s", flush=True)
    names = [f"arm{i}" for i in range(asked.arms)]
    areas: dict[int, list[float]] = {budget.patients: [] for budget in planned}
    reading = solving = adapting = 0.0
    with tempfile.TemporaryDirectory() as folder:
        store(pathlib.Path(folder, "embeddings"), np.concatenate([inside, outside]))
        read = EmbeddingStore(pathlib.Path(folder, "embeddings"))
        wanted = grid(names, ["probe"], planned, asked.seeds)
        cells = Cells(pathlib.Path(folder, "cells"), wanted, (tests, len(LABELS)))
        ends = np.cumsum([0, held, len(inside) - held, tests, len(outside) - tests])
        for name in names:
            start = time.perf_counter()
            looked, learnt, away_test, away_pool = (
                read.embeddings(
                    computed_anew,
                    "key",
                    pool_manifest(np.zeros((last - first, len(LABELS)))),
                    [f"{i}" for i in range(first, last)],
                    parse("resize(8)"),
                    batch_size=1,
                )
                for first, last in itertools.pairwise(ends.tolist())
            )
            reading += time.perf_counter() - start
            start = time.perf_counter()
            solved = probes.linear_probe(learnt, y[held:], looked, y[:held])
            prior = Prior.of(solved, learnt)
            pool, test = (Embedded.of(x, prior) for x in (away_pool, away_test))
            solving += time.perf_counter() - start
            start = time.perf_counter()
            for budget in planned:
                for seed, draw in enumerate(budget.draws):
                    scores = adapted(pool, labels[tests:], draw.train, draw.validation, test)
                    cell = next(c for c in wanted if c == (name, "probe", budget.patients, seed))
                    cells.write(cell, scores, 0.0)
                    areas[budget.patients].append(mean_auroc(labels[:tests], scores) or 0.0)
            areas[0].append(mean_auroc(labels[:tests], test.prior) or 0.0)
            adapting += time.perf_counter() - start
        print(f"reading the store {reading:7.1f} s")
        print(f"ID probes         {solving:7.1f} s", flush=True)
        print(f"{len(cells):4} adapted cells {adapting:8.1f} s")
    for patients, found in areas.items():
        print(f"{patients:7,} patients: mean AUROC {np.mean(found):.3f}")


if __name__ == "__main__":
    main()
