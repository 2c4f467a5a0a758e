"""The head alone, solved exactly on embeddings that are computed once."""

import ml_collections

from remedis.errors import UserError
from remedis.evaluation.linear_probe import linear_probe
from remedis.finetuning import model
from remedis.finetuning.data import RunData
from remedis.finetuning.model import Fitted
from remedis.inference import embedding_store
from remedis.preprocess import Preprocess
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

# What asks for another loss or other images than a probe has, and how it says that it does not.
_NO_EFFECT = {
    "class_weights": "none",
    "focal_gamma": 0.0,
    "balance": "",
    "mixup": None,
    "learning_rates": "",
    "ema": 0.0,
}


def fit(
    config: ml_collections.ConfigDict,
    run: RunDirectory,
    distribution: Distribution,
    started: model.Model,
    parts: RunData,
    train_ops: Preprocess,
    eval_ops: Preprocess,
) -> Fitted:
    """Solves the head on the embeddings of images as they are evaluated, not augmented.

    Args:
      config: as the files in `configs/` make them; what it says of training has no effect.
      run: where the embeddings are stored, if the config names no other directory.
      distribution: this process alone.
      started: the model; its backbone stays as it is.
      parts: the data.
      train_ops: without effect.
      eval_ops: operations on images.

    Raises:
      UserError: there are several workers, or the store cannot be written to.
    """
    for key, none in _NO_EFFECT.items():
        if config[key] != none:
            raise UserError(
                f"config.{key} is {config[key]!r}, which a probe knows nothing of: it is solved on "
                "embeddings of images as they are; leave it out, or set config.method to finetune."
            )
    if distribution.workers > 1:
        raise UserError(
            "config.method is 'probe', which one process does; set config.distribution to none."
        )
    classifier = model.plain(started, config)
    stored = embedding_store.of_head(
        classifier, config.embeddings_dir or run / "embeddings", eval_ops, config.batch_size
    )
    train, validation, test = (
        stored(part, parts.hashes, f"Embedding {name}")
        for part, name in (
            (parts.train, "training"),
            (parts.validation, "validation"),
            (parts.test, "test"),
        )
    )
    solved = linear_probe(
        train, parts.train.targets(), validation, parts.validation.targets(), config.task
    )
    if not solved.converged:
        print("The probe was not solved to the end: take its numbers with care.", flush=True)
    classifier.set_head(solved.kernel, solved.bias)
    return Fitted(
        classifier,
        solved.logits(validation),
        solved.logits(test),
        {
            "probe": {
                "penalties": dict(
                    zip(classifier.labels, map(float, solved.penalties), strict=True)
                ),
                "converged": bool(solved.converged),
            }
        },
    )
