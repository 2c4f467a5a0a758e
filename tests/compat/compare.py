"""Compares two files of answers: compare.py ONE.npz OTHER.npz; fails beyond 1e-4 relative."""

import sys

import numpy as np

LIMIT = 1e-4


def main(one: str, other: str) -> int:
    """Prints the largest relative error (Frobenius); returns the exit status."""
    first, second = np.load(one), np.load(other)
    assert set(first.files) == set(second.files)
    errors = {
        key: np.linalg.norm(first[key] - second[key]) / np.linalg.norm(first[key])
        for key in first.files
    }
    worst = max(errors, key=lambda key: errors[key])
    print(f"{len(errors)} answers agree to {errors[worst]:.1e} (limit {LIMIT}), worst in {worst}.")
    return int(errors[worst] > LIMIT)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
