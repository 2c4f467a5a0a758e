"""Time of linear probes, compared with scikit-learn's logistic regression, by number of images.

    python benchmarks/probe_speed.py [--rows=250,1000,4000] [--columns=2048] [--path]

Features are made up; their variances decrease along the principal axes, as those of a network do.
There are 5 labels and one penalty; both sides are solved until they agree. Prints both times, the
ratio of ours to scikit-learn's, and the largest difference of a probability. `--path` prints the
time of one probe whose penalty is chosen on 2,000 validation images: the cost of a cell of a
label-budget study.
"""

import argparse
import time

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from remedis.evaluation.linear_probe import linear_probe

LABELS, PENALTY, VALIDATION = 5, 0.01, 2000


def case(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features [rows, columns] float32, standardised, and labels [rows, 5]."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((columns, columns), np.float32))[0]
    scale = np.arange(1, columns + 1, dtype=np.float32) ** -0.8
    hidden = rng.standard_normal((rows, columns), np.float32) * scale
    logits = hidden @ rng.normal(size=(columns, LABELS))
    labels = rng.random((rows, LABELS)) < expit(1.5 * logits / logits.std(axis=0) - 2)
    features = hidden @ rotation
    return (features - features.mean(axis=0)) / features.std(axis=0), labels.astype(np.float64)


def theirs(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the probabilities [rows, labels] of scikit-learn's logistic regression."""
    # With float32 features scikit-learn computes in float32 and stops about 1e-3 too early.
    wide = features.astype(np.float64)
    peer = LogisticRegression(C=1 / (PENALTY * len(wide)), tol=1e-7, max_iter=2000)
    columns = [peer.fit(wide, labels[:, i]).predict_proba(wide)[:, 1] for i in range(LABELS)]
    return np.stack(columns, axis=1)


def against_scikit_learn(rows: int, columns: int) -> str:
    """Returns a row of the table: both times, their ratio and the largest difference."""
    x, y = case(rows, columns)
    start = time.perf_counter()
    probe = linear_probe(x, y, penalties=(PENALTY,))
    ours = time.perf_counter() - start
    start = time.perf_counter()
    probabilities = theirs(x, y)
    peers = time.perf_counter() - start
    difference = np.abs(expit(probe.logits(x)) - probabilities).max()
    return f"{rows:7,} {peers:10.2f} s {ours:7.2f} s   {ours / peers:5.2f}   {difference:8.1e}"


def path(rows: int, columns: int) -> str:
    """Returns a row of the table of probes whose penalty is chosen."""
    x, y = case(rows + VALIDATION, columns)
    start = time.perf_counter()
    linear_probe(x[:rows], y[:rows], x[rows:], y[rows:])
    return f"{rows:7,} {time.perf_counter() - start:7.2f} s"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="250,1000,4000", help="numbers of images")
    parser.add_argument("--columns", type=int, default=2048, help="features per image")
    parser.add_argument("--path", action="store_true", help="choose the penalty; no comparison")
    arguments = parser.parse_args()
    heading = "  scikit-learn     ours   ratio   difference"
    print(" images" + ("    ours" if arguments.path else heading))
    measure = path if arguments.path else against_scikit_learn
    for rows in map(int, arguments.rows.split(",")):
        print(measure(rows, arguments.columns), flush=True)


if __name__ == "__main__":
    main()
