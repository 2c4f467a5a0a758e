"""Names of the probes, checked without loading TensorFlow."""

from collections.abc import Sequence

from remedis.errors import unknown_choice

METHODS = ("linear", "knn", "few_shot")


def check_methods(methods: Sequence[str]) -> None:
    """Raises a UserError for an unknown method."""
    for method in methods:
        if method not in METHODS:
            raise unknown_choice("probe", method, METHODS)
