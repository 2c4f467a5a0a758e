"""Probes of a checkpoint's embeddings on labelled data: linear, k-NN and few-shot."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from remedis.data.checks import leaks
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.few_shot import SHOTS, FewShot, few_shot
from remedis.evaluation.intervals import RESAMPLES
from remedis.evaluation.linear_probe import linear_probe
from remedis.evaluation.nearest_neighbours import NEIGHBOURS, knn
from remedis.inference.embed import Embedded
from remedis.inference.probe_methods import METHODS, check_methods
from remedis.options import spelled


@dataclasses.dataclass(frozen=True)
class ProbeResults:
    """Results of probes on the test split.

    Attributes:
      results: of `linear` and `knn`, if asked for.
      few_shot: by number of patients per class, if asked for.
    """

    results: dict[str, Result]
    few_shot: dict[int, FewShot]


def gate(
    manifest: Manifest,
    scanned: pd.DataFrame,
    *,
    allow_missing_patient_ids: bool = False,
    allow_similar_ids: bool = False,
) -> None:
    """Raises a UserError for images that cannot be probed, before any is embedded.

    Args:
      manifest: images that all have a split.
      scanned: the rows of their scan, in the same order.
      allow_missing_patient_ids: as for `leaks.check`.
      allow_similar_ids: as for `leaks.check`.

    Raises:
      UserError: splits share patients or images, one has none, or a label is still uncertain.
    """
    if (manifest.targets() == -1).any():
        raise UserError(
            f"Labels still have uncertain values (-1); set {spelled('uncertain', 'ignore')}, or "
            "ones."
        )
    for split in ("train", "test"):
        if not (manifest.table["split"] == split).any():
            raise UserError(
                f"The {split} split has no images; give it a share in {spelled('splits')}."
            )
    hashes = scanned.set_index("path")["sha256"]
    leaks.check(
        manifest, hashes, allow_missing_patient_ids, allow_similar_ids=allow_similar_ids
    ).raise_if_leaking()


def probe(
    embedded: Embedded,
    methods: Sequence[str] = METHODS,
    *,
    neighbours: int = NEIGHBOURS,
    shots: Sequence[int] = SHOTS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> ProbeResults:
    """Fits probes on the training split, selects on validation and evaluates on test.

    Args:
      embedded: images that passed `gate`.
      methods: of `METHODS`.
      neighbours: of `knn`.
      shots: of `few_shot`.
      seed: of resamples and draws of patients.
      resamples: for the intervals of `linear` and `knn`.

    Raises:
      UserError: a method is unknown.
    """
    check_methods(methods)
    manifest, rows = embedded.manifest, embedded.rows
    x, y, patients = {}, {}, {}
    for split in ("train", "validation", "test"):
        inside = (manifest.table["split"] == split).to_numpy(dtype=bool, na_value=False)
        x[split], y[split] = rows[inside], manifest.targets()[inside]
        patients[split] = _patients(manifest, inside)

    def evaluated(scores: np.ndarray, ranking: np.ndarray | None = None) -> Result:
        return evaluate(
            y["test"],
            scores,
            manifest.labels,
            patients["test"],
            ranking=ranking,
            seed=seed,
            resamples=resamples,
        )

    results = {}
    if "linear" in methods:
        linear = linear_probe(
            x["train"],
            y["train"],
            x["validation"],
            y["validation"],
            validation_groups=patients["validation"],
        )
        logits = linear.logits(x["test"]).astype(np.float64)
        results["linear"] = evaluated(expit(logits), logits)
    if "knn" in methods:
        results["knn"] = evaluated(knn(x["train"], y["train"], x["test"], neighbours))
    curve: dict[int, FewShot] = {}
    if "few_shot" in methods:
        curve = few_shot(
            x["train"],
            y["train"],
            patients["train"],
            x["test"],
            y["test"],
            patients["test"],
            shots,
            seed=seed,
        )
    return ProbeResults(results, curve)


def _patients(manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    return manifest.table["patient_id"].to_numpy(dtype=object)[rows]
