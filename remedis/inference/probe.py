"""What a checkpoint's embeddings are worth on labelled data, by several probes."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from remedis.data.checks import leaks
from remedis.data.manifest import Manifest
from remedis.errors import UserError, unknown_choice
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.few_shot import SHOTS, few_shot
from remedis.evaluation.intervals import RESAMPLES, Estimate
from remedis.evaluation.linear_probe import linear_probe
from remedis.evaluation.nearest_neighbours import NEIGHBOURS, knn
from remedis.inference.embed import Embedded

METHODS = ("linear", "knn", "few_shot")


@dataclasses.dataclass(frozen=True)
class Probed:
    """What the probes found on the test split.

    Attributes:
      results: of `linear` and `knn`, where asked for.
      few_shot: by number of patients a class, where asked for.
    """

    results: dict[str, Result]
    few_shot: dict[int, Estimate]


def check_methods(methods: Sequence[str]) -> None:
    """Raises a UserError for a method there is not."""
    for method in methods:
        if method not in METHODS:
            raise unknown_choice("probe", method, METHODS)


def gate(manifest: Manifest, scanned: pd.DataFrame, allow_missing_patient_ids: bool) -> None:
    """Raises a UserError for images that cannot be probed, before any is embedded.

    Args:
      manifest: images that all have a split.
      scanned: what a scan found of them, row by row.
      allow_missing_patient_ids: as for `leaks.check`.

    Raises:
      UserError: splits share patients or images, one has none, or a label is still uncertain.
    """
    if (manifest.targets() == -1).any():
        raise UserError("Labels still have uncertain values (-1); set --uncertain=ignore, or ones.")
    for split in ("train", "test"):
        if not (manifest.table["split"] == split).any():
            raise UserError(f"The {split} split has no images; give it a share in --splits.")
    hashes = scanned.set_index("path")["sha256"]
    leaks.check(manifest, hashes, allow_missing_patient_ids).raise_if_leaking()


def probe(
    embedded: Embedded,
    methods: Sequence[str] = METHODS,
    *,
    neighbours: int = NEIGHBOURS,
    shots: Sequence[int] = SHOTS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Probed:
    """Fits probes on the training split, chooses on validation and judges on test.

    Args:
      embedded: images that went through `gate`.
      methods: of `METHODS`.
      neighbours: of `knn`.
      shots: of `few_shot`.
      seed: of resamples and draws of patients.
      resamples: behind the intervals of `linear` and `knn`.

    Raises:
      UserError: a method is unknown.
    """
    check_methods(methods)
    manifest, rows = embedded.manifest, embedded.rows
    x, y, who = {}, {}, {}
    for split in ("train", "validation", "test"):
        inside = (manifest.table["split"] == split).to_numpy(dtype=bool, na_value=False)
        x[split], y[split] = rows[inside], manifest.targets()[inside]
        who[split] = _patients(manifest, inside)

    def judged(scores: np.ndarray) -> Result:
        return evaluate(
            y["test"], scores, manifest.labels, who["test"], seed=seed, resamples=resamples
        )

    results = {}
    if "linear" in methods:
        linear = linear_probe(x["train"], y["train"], x["validation"], y["validation"])
        results["linear"] = judged(expit(linear.logits(x["test"])))
    if "knn" in methods:
        results["knn"] = judged(knn(x["train"], y["train"], x["test"], neighbours))
    curve = {}
    if "few_shot" in methods:
        curve = few_shot(
            x["train"],
            y["train"],
            who["train"],
            x["test"],
            y["test"],
            who["test"],
            shots,
            seed=seed,
        )
    return Probed(results, curve)


def _patients(manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    return manifest.table["patient_id"].to_numpy(dtype=object)[rows]
