"""The head alone, solved exactly on embeddings that are computed once."""

import logging

import numpy as np

from remedis.errors import UserError
from remedis.evaluation.intervals import MIN_PATIENTS
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, LinearProbe, linear_probe
from remedis.finetuning.data import RunData
from remedis.finetuning.model import FitResult, TrainableModel, exportable
from remedis.finetuning.settings import FinetuneSettings
from remedis.inference import embedding_store
from remedis.preprocess import Preprocess
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)

# Settings that a probe does not support, with the values that switch them off.
_NO_EFFECT = {
    "class_weights": "none",
    "focal_gamma": 0.0,
    "balance": "",
    "mixup": None,
    "learning_rates": "",
    "ema": 0.0,
    "select": "",
}


def check(settings: FinetuneSettings, distribution: Distribution) -> None:
    """Raises a UserError if there are several workers, or a setting that a probe cannot have."""
    values = settings.to_dict()
    for key, none in _NO_EFFECT.items():
        if values[key] != none:
            raise UserError(
                f"config.{key} is {values[key]!r}, which a probe does not use: it is solved on "
                "embeddings of images as they are; leave it out, or set config.method to finetune."
            )
    if distribution.workers > 1:
        raise UserError(
            "config.method is 'probe', which runs in one process; set config.distribution to none."
        )


def fit(
    settings: FinetuneSettings,
    run: RunDirectory,
    distribution: Distribution,
    model: TrainableModel,
    data: RunData,
    train_ops: Preprocess,
    eval_ops: Preprocess,
) -> FitResult:
    """Solves the head on the embeddings of images with evaluation's preprocessing.

    Args:
      settings: of the run; those of gradient training have no effect.
      run: its directory holds the embeddings, unless the settings name another one.
      distribution: this process alone.
      model: its backbone is not changed.
      data: the three splits.
      train_ops: without effect.
      eval_ops: operations on images.

    Raises:
      UserError: the store cannot be written.
    """
    classifier = exportable(model, settings)
    embedded = embedding_store.of_head(
        classifier,
        settings.embeddings_dir or run / "embeddings",
        eval_ops,
        settings.optimization.batch_size,
    )
    train, validation, test = (
        embedded(split, data.hashes, f"Embedding {name}")
        for split, name in (
            (data.train, "training"),
            (data.validation, "validation"),
            (data.test, "test"),
        )
    )
    probe = linear_probe(
        train,
        data.train.targets(),
        validation,
        data.validation.targets(),
        settings.model.task,
        validation_groups=data.validation.table["patient_id"],
    )
    note = _note(probe, classifier.labels)
    if not probe.converged:
        _LOG.warning("The solver of the probe did not converge: take its numbers with care.")
    classifier.set_head(probe.kernel, probe.bias)
    penalties = map(float, probe.penalties)
    return FitResult(
        classifier,
        probe.logits(validation),
        probe.logits(test),
        {
            "probe": {
                "penalties": dict(zip(classifier.labels, penalties, strict=True)),
                "converged": bool(probe.converged),
            },
            "selection": {
                "labels": [classifier.labels[i] for i in np.flatnonzero(probe.chosen)],
                "left_out": [classifier.labels[i] for i in np.flatnonzero(~probe.chosen)],
                "estimable": bool(probe.chosen.any()),
                "note": note,
            },
        },
    )


def _note(probe: LinearProbe, labels: tuple[str, ...]) -> str:
    """Returns a sentence on the choice of the penalties."""
    default = [labels[i] for i in np.flatnonzero(~probe.chosen)]
    if not default:
        return "The penalties of the probe were chosen by the AUROC on validation."
    return (
        f"The penalty of the probe is the default, {DEFAULT_PENALTY:g}, for {', '.join(default)}: "
        f"validation has fewer than {MIN_PATIENTS} effective patients with or without the label, "
        "or training has one class only."
    )
