"""The drift of an exported classifier: new patients beside those of the run that made it.

Three questions, each beside what it was. Did the images change (embeddings)? Did the scores change?
Did the model become worse (AUROC and calibration, which need labels)? The first two are asked of
one random image per patient, since images of one patient are not independent.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.errors import counted
from remedis.evaluation.drift_record import DistanceRecord, DriftRecord, MetricDriftRecord
from remedis.evaluation.embedding_drift import embedding_drift
from remedis.evaluation.estimate_drift import estimate_drift
from remedis.evaluation.intervals import patient_codes
from remedis.evaluation.permutations import MIN_PATIENTS, Permuted, one_per_patient
from remedis.evaluation.score_drift import score_drift
from remedis.inference.exported import ExportedClassifier
from remedis.options import spelled
from remedis.zoo import reference_sample, run_record
from remedis.zoo.reference_sample import ReferenceSample
from remedis.zoo.run_record import RunRecord

MOST_PATIENTS = 1000  # of the new data; the reference, which is smaller, limits the power
METRICS = ("auroc", "calibration_slope", "calibration_intercept")
SEED = 0  # of the drawn images and divisions: the same data give the same drift


@dataclasses.dataclass(frozen=True)
class Before:
    """What an export holds of the run that made it.

    Attributes:
      record: settings and results; None if the export has none.
      sample: embeddings and logits of test patients; None if the export has none.
    """

    record: RunRecord | None = None
    sample: ReferenceSample | None = None

    @classmethod
    def of_export(cls, exported: ExportedClassifier) -> "Before":
        """Returns what an export holds.

        Raises:
          UserError: a file of it is damaged.
        """
        description = exported.description
        return cls(
            run_record.read(exported.folder),
            ReferenceSample.read(
                exported.folder, len(description.labels), description.map_channels
            ),
        )

    def rows(self, patient_ids: "pd.Series[str]") -> npt.NDArray[np.intp]:
        """Returns the rows of the images to compare with the sample; none without one."""
        if self.sample is None:
            return np.empty(0, np.intp)
        return one_per_patient(patient_codes(patient_ids), MOST_PATIENTS, SEED)


def drift(
    exported: ExportedClassifier,
    before: Before,
    labels: Sequence[str],
    evaluated: Mapping[str, Any],
    embeddings: npt.NDArray[np.float32],
    logits: npt.NDArray[np.float32],
    unknown: int = 0,
) -> DriftRecord:
    """Returns the drift of a classifier on new images.

    Args:
      exported: the classifier.
      before: of the same classifier.
      labels: those of the new data, some of the classifier's.
      evaluated: the new evaluation, of `evaluate_table`.
      embeddings: [n, C] of the new images of `before.rows`.
      logits: [n, all labels of the classifier] of the same, before calibration.
      unknown: how many of these images have no patient id.
    """
    record, sample = before.record, before.sample
    test = record["test"] if record else None
    found: DriftRecord = {
        "before": record["data"] if record and test else "",
        "reference": sample.data if sample else "",
        "reference_patients": len(sample) if sample else 0,
        "patients": len(embeddings),
        "embeddings": None,
        "scores": {},
        "metrics": _metrics(test, evaluated, labels) if test else {},
        "notes": [],
    }
    if not test:
        found["notes"].append(
            f"The export has no results of its own ({run_record.FILE}): AUROC and calibration have "
            "nothing beside them."
        )
    elif _weighting(test) != _weighting(evaluated):
        found["notes"].append(
            f"The AUROC then has equal weights of {_weighting(test)}, the AUROC now of "
            f"{_weighting(evaluated)}: they are two metrics. "
            f"{spelled('weighting', _weighting(test))} compares them."
        )
    if sample is None:
        found["notes"].append(
            f"The export has no patients to compare with ({reference_sample.FILE}): the drift of "
            "embeddings and scores is not known."
        )
        return found
    if min(len(sample), len(embeddings)) < MIN_PATIENTS:
        found["notes"].append(
            f"Embeddings and scores of {counted(len(embeddings), 'patient')} cannot be compared "
            f"with those of {len(sample):,}: {MIN_PATIENTS} or more of each are needed."
        )
        return found
    found["notes"].append(
        f"Embeddings and scores of {counted(len(embeddings), 'patient')} are compared with those "
        f"of {len(sample):,} of {counted(sample.population, 'patient')} of {sample.data}, one "
        "random image per patient. Patients in both make a drift harder to find."
    )
    if unknown:
        found["notes"].append(
            f"{counted(unknown, 'image has', 'images have')} no patient id and "
            f"{'counts' if unknown == 1 else 'count'} as {counted(unknown, 'patient')}: if several "
            "are of one patient, p-values are too small, and distances above chance need not mean "
            "that anything changed."
        )
    found["embeddings"] = _distance(embedding_drift(sample.embeddings, embeddings, seed=SEED))
    columns = [exported.labels.index(label) for label in labels]
    calibration = exported.calibration()
    ranked = [calibration.log_odds(of)[:, columns] for of in (sample.logits, logits)]
    probabilities = [calibration.probabilities(of)[:, columns] for of in (sample.logits, logits)]
    for i, (label, test_of) in enumerate(zip(labels, score_drift(*ranked, seed=SEED), strict=True)):
        means = [float(of[:, i].mean()) for of in probabilities]
        found["scores"][label] = {
            "before": means[0],
            "now": means[1],
            "distance": test_of.value,
            "chance": test_of.chance,
            "p_value": test_of.p_value,
        }
    return found


def _distance(test: Permuted) -> DistanceRecord:
    return {"distance": test.value, "chance": test.chance, "p_value": test.p_value}


def _metrics(
    before: Mapping[str, Any], now: Mapping[str, Any], labels: Sequence[str]
) -> dict[str, dict[str, MetricDriftRecord]]:
    """Returns the metrics that both evaluations have, by label.

    An AUROC with equal weights of patients is another metric than one of images.
    """
    names = METRICS if _weighting(before) == _weighting(now) else METRICS[1:]
    found: dict[str, dict[str, MetricDriftRecord]] = {}
    for label in labels:
        of_label: dict[str, MetricDriftRecord] = {}
        for name in names:
            old, new = (_estimate(of, name, label) for of in (before, now))
            if old is not None and new is not None:
                difference = estimate_drift(old, new)
                of_label[name] = {"before": old, "now": new, "difference": difference}
        if of_label:
            found[label] = of_label
    return found


def _estimate(evaluated: Mapping[str, Any], metric: str, label: str) -> Any:
    of = evaluated if metric == "auroc" else evaluated["metrics"].get(metric, {"labels": {}})
    return of["labels"].get(label)


def _weighting(evaluated: Mapping[str, Any]) -> str:
    return str(evaluated.get("weighting", "images"))
