"""Coverage of the difference of two AUROCs of different patients, as `remedis compare` gives it.

    python benchmarks/unpaired_comparison.py [--draws=1000]

Populations are those of `benchmarks/comparison.py`; each model scores patients of its own. In
`same` both models score the same patients and are compared as two samples with patients in common.
Printed are the share of intervals that hold the true difference, the share of p below 0.05, and the
mean width. Where both models are equally good, the latter share is that of false findings.
"""

import argparse

import numpy as np
import pandas as pd
from comparison import CELLS, pair

from remedis.evaluation.aligned_tables import Aligned, align
from remedis.evaluation.unpaired_difference import compare_unpaired


def main() -> None:
    """Prints one row per population."""
    options = argparse.ArgumentParser()
    options.add_argument("--draws", type=int, default=1000)
    draws = options.parse_args().draws
    print(f"{'population':<12}{'coverage':>10}{'p < 0.05':>10}{'width':>8}   % of {draws} draws")
    for name in (*CELLS, "same"):
        patients, prevalence, areas, sharpness, sizes = CELLS["even" if name == "same" else name]
        truth = areas[1] - areas[0]
        held, found, widths = [], [], []
        for draw in range(draws):
            rng = np.random.default_rng([draw, len(name)])
            first, second, _ = pair(rng, patients, prevalence, areas, sharpness, sizes)
            if name != "same":
                second = pair(rng, patients, prevalence, areas, sharpness, sizes)[1]
            of = compare_unpaired(_aligned(first, second, name == "same")).labels["a"]
            if of.difference is None or of.low is None or of.high is None:
                continue
            held.append(of.low <= truth <= of.high)
            found.append(of.p is not None and of.p < 0.05)
            widths.append(of.high - of.low)
        numbers = f"{100 * np.mean(held):>10.1f}{100 * np.mean(found):>10.1f}"
        print(f"{name:<12}{numbers}{np.mean(widths):>8.3f}   {len(held)} estimable")


def _aligned(first: pd.DataFrame, second: pd.DataFrame, same: bool) -> Aligned:
    return align(first, second, "test", unpaired=not same)


if __name__ == "__main__":
    main()
