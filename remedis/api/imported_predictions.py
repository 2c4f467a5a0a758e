"""Predictions of other people's models as an evaluation."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remedis import files, locks
from remedis.api import early_checks
from remedis.data.label_policies import Meaning
from remedis.data.manifest import Manifest
from remedis.data.splits import of_split
from remedis.errors import UserError, unknown_choice
from remedis.evaluation.estimates import WEIGHTINGS
from remedis.evaluation.imported import import_scores, score_columns
from remedis.evaluation.results_record import FILE
from remedis.options import spelled
from remedis.reporting import run_report

if TYPE_CHECKING:
    from remedis.api.run_records import Run


def import_predictions(
    file: files.Path,
    out: files.Path,
    *,
    columns: str | None = None,
    where: str | None = None,
    scale: str = "probability",
    name: str | None = None,
    labels_from: Manifest | files.Path | None = None,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    split: str | None = None,
    allow_missing: bool = False,
    uncertain: str = "ignore",
    unmentioned: str = "ignore",
    unlabelled: str = "ignore",
    seed: int = 0,
    resamples: int = 1000,
    weighting: str = "images",
) -> "Run":
    """Evaluates another model's scores of images, as `remedis import-predictions` does.

    Writes predictions, results and a page with plots into `out`, which `evaluate` and
    `remedis compare` take as they take those of a run.

    Args:
      file: a CSV or Parquet file with one row per image.
      out: the directory to write to, without results in it.
      columns: what the columns are, such as `image=Filename; pneumonia=prob;
        label/pneumonia=target; patient=PatientID`; guessed where nothing else is possible.
      where: rows to take, such as `model=densenet; split=test`; all by default.
      scale: of the scores: `probability`, `percent`, `logit`, or `rank` for numbers that only order
        the images.
      name: of the model, for reports; that of the file by default.
      labels_from: data with the truth, matched by path or file name: a manifest, a table or the
        directory of the source. The truth is in `file` by default.
      labels: label columns of a path.
      source: layout of a path, see `load_manifest`.
      options: of the source, for a path.
      split: the images of this split of `labels_from` alone; all by default.
      allow_missing: leave out images without a score.
      uncertain: what labels of -1 count as: `ignore`, `zeros` or `ones`, like the next two.
      unmentioned: empty labels of images that have another label.
      unlabelled: images without any label.
      seed: of the resamples.
      resamples: number of draws of patients behind the intervals.
      weighting: of the AUROC: `images`, each with the same weight, or `patients`.

    Returns:
      The evaluation.

    Raises:
      UserError: file, columns, scores or labels are at fault, or `out` holds results already.
    """
    write(
        file,
        out,
        columns=columns,
        where=where,
        scale=scale,
        name=name,
        labels_from=labels_from,
        labels=labels,
        source=source,
        options=options,
        split=split,
        allow_missing=allow_missing,
        meaning=Meaning(uncertain, unmentioned, unlabelled),
        seed=seed,
        resamples=resamples,
        weighting=weighting,
    )
    from remedis.api.run_records import load_run  # loads TensorFlow

    return load_run(out)


def write(
    file: files.Path,
    out: files.Path,
    *,
    columns: str | None,
    where: str | None,
    scale: str,
    name: str | None,
    labels_from: Manifest | files.Path | None,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
    split: str | None,
    allow_missing: bool,
    meaning: Meaning,
    seed: int,
    resamples: int,
    weighting: str,
) -> dict[str, Any]:
    """Does what `import_predictions` does; returns the content of `results.json`.

    TensorFlow, which takes seconds to load, is needed for `labels_from` alone.
    """
    if weighting not in WEIGHTINGS:
        raise unknown_choice(f"value of {spelled('weighting')}", weighting, WEIGHTINGS)
    early_checks.check_path(file, "CSV or Parquet file of scores")
    with locks.of_output(out):
        if os.path.lexists(pathlib.Path(out, FILE)):
            raise UserError(f"{spelled('out', out)} holds results already; name another directory.")
        truth = _truth(labels_from, labels, source, options, split, columns)
        scores = import_scores.read_scores(
            file,
            columns=columns,
            where=where,
            scale=scale,
            labels=None if truth is None else truth.labels,
            allow_missing=allow_missing,
        )
        import_scores.import_predictions(
            scores,
            out,
            truth=truth,
            name=name,
            meaning=meaning,
            allow_missing=allow_missing,
            weighting=weighting,
            seed=seed,
            resamples=resamples,
        )
        return run_report.write(out)


def _truth(
    data: Manifest | files.Path | None,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
    split: str | None,
    columns: str | None,
) -> Manifest | None:
    """Returns the data that have the labels; None if the file of scores has them."""
    if data is None:
        if labels is not None or split is not None:
            option = spelled("labels" if labels is not None else "split")
            raise UserError(
                f"{option} is about labelled data: name them with {spelled('labels_from')}, or "
                f"leave it out ({spelled('columns')} and {spelled('where')} are about the file)."
            )
        return None
    from remedis.api import labelled_data  # loads TensorFlow

    if isinstance(data, Manifest):
        labelled_data.check_alone(data, labels, source, options)
        manifest = data
    else:
        # The names of a table's labels are those of the scores, if these are stated.
        known = labels or score_columns.stated_labels(columns)
        manifest = labelled_data.load_manifest(data, known, source=source, **(options or {}))
    return manifest if split is None else of_split(manifest, split)
