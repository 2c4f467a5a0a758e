"""Trained classifiers on other data: evaluation and calibration."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from remedis import files, limits, locks
from remedis.api import early_checks, labelled_data
from remedis.api.run_records import Run, load_run
from remedis.data import sources
from remedis.data.manifest import Manifest
from remedis.errors import UnknownLabel, UserError, quoted, unknown_choice
from remedis.evaluation.estimates import WEIGHTINGS
from remedis.evaluation.evaluate import TOP_K, check_top_k
from remedis.inference import exported as exported_classifier
from remedis.inference import recalibrate, rescore
from remedis.inference.exported import ExportedClassifier
from remedis.inference.recalibrate import Recalibrated
from remedis.inference.rescore import Scored
from remedis.options import label_text, spelled
from remedis.reporting import run_report

_LOG = logging.getLogger(__name__)


def evaluate(
    model: files.Path,
    data: Manifest | files.Path | None,
    out: files.Path,
    *,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    uncertain: str | None = None,
    unmentioned: str | None = None,
    unlabelled: str | None = None,
    split: str | None = None,
    batch_size: int = 32,
    max_bad_images: float = 0.01,
    max_megapixels: float | None = None,
    seed: int = 0,
    resamples: int = 1000,
    weighting: str | None = None,
    top_k: Sequence[int] | None = None,
    nested_resamples: int = 0,
) -> Run:
    """Scores a trained classifier on any data, as `remedis evaluate` does.

    Writes predictions, results and a page with plots into `out`. A warning says if the classifier
    has seen some of the images or patients.

    Args:
      model: a run's directory, or an exported classifier's.
      data: a manifest, a table or the directory of the source. None evaluates the stored
        predictions of a finished run again.
      out: the directory to write to, without results in it.
      labels: label columns of a path, some of the classifier's; all of its labels by default.
      source: layout of a path, see `load_manifest`.
      options: of the source, for a path.
      uncertain: what labels of -1 count as: `ignore`, `zeros` or `ones`; as in the model's run by
        default, like the next two.
      unmentioned: the same for empty labels of images that have another label.
      unlabelled: the same for images without any label.
      split: the images of this split alone; all by default, of a run's predictions `test`.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted, in [0, 1].
      max_megapixels: larger images are unreadable; 40 by default.
      seed: of the resamples.
      resamples: number of draws of patients behind the intervals.
      weighting: of the AUROC: `images`, each with the same weight, or `patients`; `images` by
        default, of a run's predictions as before.
      top_k: of exclusive classes: numbers k of the top-k accuracies; (1, 3) by default, of a run's
        predictions as before.
      nested_resamples: of a run's predictions: draws behind intervals that include the choice of
        thresholds and calibration, such as 200; 0 for none.

    Returns:
      The evaluation; `results["test"]` has every number, `table()` the metrics as a DataFrame.

    Raises:
      UserError: model, data or labels are at fault, too many images cannot be read, or `out` holds
        results already.
    """
    if weighting not in (None, *WEIGHTINGS):
        raise unknown_choice(f"value of {spelled('weighting')}", weighting, WEIGHTINGS)
    if data is not None and nested_resamples:
        raise UserError(
            f"{spelled('nested_resamples')} with data: only a run's stored predictions hold the "
            f"validation split that is needed; leave out the data, or {spelled('nested_resamples')}"
            "."
        )
    if top_k is not None:
        check_top_k(top_k)
    _check(model, data, labels, source, options)
    with limits.megapixels(max_megapixels), locks.of_output(out):
        rescore.check_out(out)
        if data is None:
            rescore.reevaluate(
                model, out, split or "test", seed, resamples, weighting, nested_resamples, top_k
            )
        else:
            exported = exported_classifier.load(model)
            policies = (uncertain, unmentioned, unlabelled)
            scored = _score(
                exported,
                data,
                out,
                (labels, source, options),
                policies=policies,
                split=split,
                batch_size=batch_size,
                max_bad_images=max_bad_images,
            )
            rescore.evaluate(
                exported,
                scored,
                out,
                seed=seed,
                resamples=resamples,
                weighting=weighting or "images",
                top_k=TOP_K if top_k is None else top_k,
            )
        run_report.write(out)
    return load_run(out)


def calibrate(
    model: files.Path,
    data: Manifest | files.Path,
    out: files.Path,
    *,
    labels: Sequence[str] | None = None,
    source: str = "csv",
    options: Mapping[str, Any] | None = None,
    uncertain: str | None = None,
    unmentioned: str | None = None,
    unlabelled: str | None = None,
    batch_size: int = 32,
    max_bad_images: float = 0.01,
    max_megapixels: float | None = None,
    method: str | None = None,
    target_sensitivity: float | None = None,
    keep_thresholds: bool = False,
    judge_split: str | None = None,
    judge_share: float = 0.0,
    seed: int = 0,
    resamples: int = 1000,
) -> Recalibrated:
    """Fits probabilities and thresholds of a classifier to a site, as `remedis calibrate` does.

    Writes a new export with both inside. The logits do not change; the fit starts from them and
    replaces an earlier one.

    Args:
      model: a run's directory, or an exported classifier's.
      data: labelled images of the site: a manifest, a table or the directory of the source.
      out: the folder to make.
      labels: as for `evaluate`, like the next eight.
      source: layout of a path.
      options: of the source.
      uncertain: what labels of -1 count as.
      unmentioned: the same for empty labels.
      unlabelled: the same for images without any label.
      batch_size: images per batch.
      max_bad_images: the largest share of unreadable images that is accepted, in [0, 1].
      max_megapixels: larger images are unreadable; 40 by default.
      method: `platt`, a scale and an offset per label, or `temperature`, one scale; `platt` by
        default, `temperature` for exclusive classes.
      target_sensitivity: of the threshold of that name, in (0, 1]; that of the model by default.
      keep_thresholds: whether the thresholds move with the probabilities, so that the same images
        reach them, in place of new ones.
      judge_split: images of this split choose nothing; the model is evaluated on them before and
        after.
      judge_share: the same with a share of the patients, drawn at random, in [0, 1); 0 for none.
      seed: of that draw, and of the resamples.
      resamples: number of draws of patients behind the intervals.

    Returns:
      The folder of the new export, sentences that report the fit, and the evaluations `before` and
      `after` on the images that chose nothing.

    Raises:
      UserError: model, data or labels are at fault, there are too few labelled patients, or the
        folder exists.
    """
    _check(model, data, labels, source, options)
    with limits.megapixels(max_megapixels), locks.of_output(out):
        files.refuse_existing(out)
        exported = exported_classifier.load(model)
        chosen_method = recalibrate.method_for(exported.description.task, method)
        scored = _score(
            exported,
            data,
            f"{out}.data",
            (labels, source, options),
            policies=(uncertain, unmentioned, unlabelled),
            batch_size=batch_size,
            max_bad_images=max_bad_images,
        )
        judges = recalibrate.judged_rows(scored, judge_split, judge_share, seed)
        done = recalibrate.recalibrate(
            exported,
            scored,
            chosen_method,
            out,
            target_sensitivity=target_sensitivity,
            keep_thresholds=keep_thresholds,
            judges=judges,
            resamples=resamples,
            seed=seed,
        )
    return dataclasses.replace(done, lines=(*scored.label_notes, *done.lines))


def _check(
    model: files.Path,
    data: Manifest | files.Path | None,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
) -> None:
    labelled_data.check_labels(labels)
    labelled_data.check_alone(data, labels, source, options)
    if data is None:  # stored predictions are evaluated
        early_checks.check_path(model, "directory of a run or a model")
    else:
        early_checks.check_model(model)
    if data is not None and not isinstance(data, Manifest):
        # The labels of a model are checked first against the model.
        early_checks.check_data(data, source, None, options or (), needs_labels=False)


def _score(
    exported: ExportedClassifier,
    data: Manifest | files.Path,
    out: files.Path,
    reading: tuple[Sequence[str] | None, str, Mapping[str, Any] | None],
    *,
    policies: tuple[str | None, str | None, str | None],
    split: str | None = None,
    batch_size: int,
    max_bad_images: float,
) -> Scored:
    """Returns the images with their scores.

    Args:
      exported: the classifier.
      data: the images, or their path.
      out: directory for the scan and the list of bad images.
      reading: labels, source and its options, for a path.
      policies: of `uncertain`, `unmentioned` and `unlabelled` labels; None for those of the run.
      split: see `rescore.score`.
      batch_size: see there.
      max_bad_images: see there.
    """
    manifest = data if isinstance(data, Manifest) else read(exported, data, *reading)
    names = ("uncertain", "unmentioned", "unlabelled")
    return rescore.score(
        exported,
        manifest,
        out,
        source=manifest.layout or "csv",
        policies={k: v for k, v in zip(names, policies, strict=True) if v is not None},
        split=split,
        batch_size=batch_size,
        max_bad_images=max_bad_images,
    )


def read(
    exported: ExportedClassifier,
    data: files.Path,
    labels: Sequence[str] | None,
    source: str,
    options: Mapping[str, Any] | None,
) -> Manifest:
    """Returns the images of a path, by default with all labels of the classifier."""
    if labels is not None:
        exported.check_labels(tuple(labels))
    wanted = tuple(labels or exported.labels)
    try:
        return sources.load_with(source, data, wanted, options or {})
    except UserError as error:
        if isinstance(error, UnknownLabel) and (named := _in_other_case(wanted, error.known)):
            return _renamed(sources.load_with(source, data, named, options or {}), wanted)
        if labels is not None:
            raise
        raise UserError(
            f"{error} The model scores {label_text(exported.labels)}; if the data lack some of "
            f"these, name the others: {spelled('labels', ('A', 'B'))}."
        ) from error


def _in_other_case(wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...] | None:
    """Returns the names of a data set for labels that differ in case at most.

    Args:
      wanted: labels of a classifier.
      known: labels of the data set.

    Returns:
      None if a label is none of the data set's, or several, or another label's name too.
    """
    found = [[name for name in known if name.casefold() == of.casefold()] for of in wanted]
    names = tuple(same[0] for same in found if len(same) == 1)
    return names if len(set(names)) == len(wanted) else None


def _renamed(manifest: Manifest, labels: tuple[str, ...]) -> Manifest:
    """Returns a manifest whose labels have other names, which the log says."""
    for name, label in zip(manifest.labels, labels, strict=True):
        if name != label:
            _LOG.info(f"The label {quoted(name)} of the data is {quoted(label)} of the model.")
    names = dict(zip(manifest.labels, labels, strict=True))
    return dataclasses.replace(manifest, table=manifest.table.rename(columns=names), labels=labels)
