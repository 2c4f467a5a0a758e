"""Compares two files of outputs: compare.py ONE.npz OTHER.npz. Fails beyond the limits."""

import sys

import numpy as np

# Relative errors (Frobenius norm). The norms of gradients differ more: where rounding moves a value
# across zero, the gradient of a ReLU jumps. Images times 1 - 6e-8, which is less than one rounding,
# change one of these norms by 3e-3 in the same TensorFlow.
LIMIT = 1e-4
GRADIENT_LIMIT = 1e-2


def main(one: str, other: str) -> int:
    """Prints the largest relative errors and returns the exit status."""
    first, second = np.load(one), np.load(other)
    assert set(first.files) == set(second.files)
    errors = {
        key: np.linalg.norm(first[key] - second[key]) / np.linalg.norm(first[key])
        for key in first.files
    }
    status = 0
    for kind, limit in (("outputs", LIMIT), ("gradients", GRADIENT_LIMIT)):
        some = {k: v for k, v in errors.items() if k.startswith("gradient/") == (kind != "outputs")}
        worst = max(some, key=lambda key: some[key])
        print(f"{len(some)} {kind} agree to {some[worst]:.1e} (limit {limit}), worst in {worst}.")
        status |= not some[worst] <= limit
    return int(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
