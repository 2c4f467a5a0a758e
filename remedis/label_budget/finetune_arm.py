"""The mode `finetune`: all layers, first on in-distribution data, then on each budget."""

import logging
import os
import pathlib
import shutil
import time

import keras
import numpy as np

from remedis.finetuning import gradient, model
from remedis.finetuning.data import RunData
from remedis.finetuning.settings import FinetuneSettings
from remedis.inference import predict
from remedis.label_budget.arm import SCORES, InDistributionScores, pin_weights, scores_file
from remedis.label_budget.budgets import Draw
from remedis.label_budget.cell_store import Scores
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import Shard, StudySettings
from remedis.models import backbone
from remedis.models.classifier import HEAD
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.zoo import checkpoint, save_classifier
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages

_LOG = logging.getLogger(__name__)
Weights = list[tuple[keras.Variable, np.ndarray]]


class FinetuneArm:
    """An arm that has been fine-tuned on the in-distribution data.

    Attributes:
      in_distribution: scores of the in-distribution model.
    """

    def __init__(
        self,
        settings: StudySettings,
        run: StudyDirectory,
        data: StudyData,
        name: str,
        shard: Shard,
    ) -> None:
        """Trains the in-distribution model if no process has done so.

        Each shard trains in its own directory and renames it at the end. The first shard to finish
        provides the model, so no process waits for a killed one.

        Args:
          settings: of the study.
          run: the study's directory.
          data: of the study.
          name: of the arm.
          shard: of this process.

        Raises:
          UserError: the arm's checkpoint does not exist, or the training cannot be done.
        """
        self._settings, self._run, self._data = settings, run, data
        self._folder = run / "id" / name
        self._fit: gradient.GradientFit | None = None
        self._weights: Weights = []
        if not self._folder.is_dir():
            work = run / "work" / f"id-{name}-{shard.number}of{shard.count}"
            _train_in_distribution(settings, run, data, name, work)
            _rename(work, self._folder)
        self.in_distribution = InDistributionScores.read(scores_file(run, name, "finetune"))

    def adapt(self, draw: Draw, seed: int, cell: str) -> Scores:
        """Returns the scores of the OOD test images after fine-tuning on a draw.

        A killed cell resumes from its last checkpoint in `work/`.
        """
        export = self._folder / "export"
        settings = self._settings.finetuning("ood", os.path.abspath(export), seed)
        work = RunDirectory(self._run / "work" / cell, settings.to_dict())
        data = RunData(
            train=self._data.pool.subset(draw.train),
            validation=self._data.judged_pool.subset(draw.validation),
            test=self._data.test,
            hashes=self._data.hashes,
            summary={},
        )
        fit = self._reset(settings)
        return fit(settings, work, data, *settings.images.operations()).test_logits

    def _reset(self, settings: FinetuneSettings) -> gradient.GradientFit:
        """Returns the traced fit, its model set to the in-distribution weights."""
        if self._fit is None:
            distribution = Distribution.from_name("none")
            trainable = model.build(settings, distribution.strategy, log_level=logging.DEBUG)
            _restore_head(trainable, self._folder / "export")
            variables = trainable.classifier.named_variables().values()
            self._weights = [(variable, variable.numpy()) for variable in variables]
            self._fit = gradient.GradientFit(distribution, trainable)
        for variable, value in self._weights:
            variable.assign(value)
        return self._fit


def _train_in_distribution(
    study: StudySettings, run: StudyDirectory, data: StudyData, name: str, work: pathlib.Path
) -> None:
    """Fine-tunes an arm on the in-distribution data; leaves export and scores in `work`."""
    start = time.monotonic()
    spec = study.arms[name]
    settings = study.finetuning("id", spec)
    directory = RunDirectory(work, settings.to_dict())
    distribution = Distribution.from_name("none")
    trainable = model.build(settings, distribution.strategy)
    directory.write_environment(trainable.provenance.to_json())
    # A killed training resumes only if the data are unchanged.
    weights = backbone.digest(trainable.classifier.backbone)
    directory.pin({"data": data.inside.digest(), "weights": weights})
    pin_weights(run, name, weights)
    train_ops, eval_ops = settings.images.operations()
    result = gradient.fit(
        settings, directory, distribution, trainable, data.inside, train_ops, eval_ops
    )
    zero_shot = predict.predict(
        gradient.logits_of(result.classifier),
        data.test,
        eval_ops,
        settings.optimization.batch_size,
        "Scoring the OOD test",
    )
    train = data.inside.train
    save_classifier.save(
        result.classifier,
        eval_ops,
        name=name,
        provenance=Provenance(
            origin="training",
            description=f"Fine-tuned on {len(train):,} images of {study.id.name}.",
            details={"labels": list(settings.data.labels), "method": "finetune"},
            parent=trainable.provenance,
        ),
        directory=directory / "export",
        seen=SeenImages.from_checkpoint(spec).extended(data.inside.learnt_from()),
        label_policies={"source": settings.data.source, **settings.data.policies.to_json()},
        overwrite=True,
    )
    seconds = time.monotonic() - start
    scores = InDistributionScores(result.test_logits, zero_shot, trainable.provenance, seconds)
    scores.write(directory / SCORES)


def _rename(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Gives a finished directory its final name, unless another process was faster."""
    shutil.rmtree(work / "checkpoints", ignore_errors=True)  # the export has the best weights
    folder.parent.mkdir(exist_ok=True)
    try:
        os.replace(work, folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(work, ignore_errors=True)


def _restore_head(trainable: model.TrainableModel, export: pathlib.Path) -> None:
    """Sets the head of a classifier, whose backbone is that of an export, to the export's head."""
    head = {
        name: variable
        for name, variable in trainable.classifier.named_variables().items()
        if name.startswith(HEAD)
    }
    for name, array in checkpoint.arrays(os.fspath(export), head, "head").items():
        head[name].assign(np.asarray(array))
