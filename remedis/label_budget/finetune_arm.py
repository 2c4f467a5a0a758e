"""The mode `finetune`: all layers, first on in-distribution data, then on each budget.

Both are trained once per candidate of the grid, and validation chooses: ID validation for the
in-distribution model, the validation patients of its own budget for a cell. The in-distribution
model as it is, step 0, is the first candidate of every cell.
"""

import dataclasses
import hashlib
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Mapping

import numpy as np

from remedis import files
from remedis.evaluation.evaluation_result import images_of_patients
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import best_candidate, gradient, model
from remedis.finetuning.data import RunData
from remedis.finetuning.settings import FinetuneSettings
from remedis.finetuning.tuning_grid import UNCHANGED, CandidateDirectory, Choice, train_candidates
from remedis.inference import predict
from remedis.label_budget.arm import (
    SCORES,
    Adapted,
    InDistributionScores,
    model_folder,
    pin_weights,
    scores_file,
    selection,
)
from remedis.label_budget.budgets import Draw
from remedis.label_budget.cell_store import Scores
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import Shard, StudySettings
from remedis.models import backbone
from remedis.models.classifier import HEAD
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.zoo import checkpoint, licences, resolve, save_classifier, shared_names
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages

_LOG = logging.getLogger(__name__)


def candidate_names(settings: StudySettings) -> tuple[str, ...]:
    """Returns the candidates of every cell, in the order in which ties are broken."""
    return (UNCHANGED, *(candidate.name for candidate in settings.select.candidates()))


class FinetuneArm:
    """An arm that is fine-tuned on the in-distribution data, then on budgets."""

    def __init__(
        self,
        settings: StudySettings,
        run: StudyDirectory,
        data: StudyData,
        name: str,
        shard: Shard,
    ) -> None:
        """Prepares the arm; models are trained when they are asked for.

        Args:
          settings: of the study.
          run: the study's directory.
          data: of the study.
          name: of the arm.
          shard: of this process.
        """
        self._settings, self._run, self._data = settings, run, data
        self._name, self._shard = name, shard
        self._scores: dict[int, InDistributionScores] = {}
        self._fit: gradient.GradientFit | None = None
        self._trainable: model.TrainableModel | None = None
        self._weights: dict[str, np.ndarray] = {}
        self._training = 0  # the one that the weights are of

    def in_distribution(self, training: int) -> InDistributionScores:
        """Returns the scores of an in-distribution model; trains it if no process has done so.

        Each shard trains in its own directory and renames it at the end. The first shard to finish
        provides the model, so no process waits for a killed one.

        Raises:
          UserError: the arm's checkpoint does not exist, or the training cannot be done.
        """
        if training not in self._scores:
            folder = model_folder(self._run, self._name, training)
            if not folder.is_dir():
                number = f"-{training}" if training else ""
                work = f"id{number}-{self._name}-{self._shard.number}of{self._shard.count}"
                target = self._run / "work" / work
                _train_in_distribution(
                    self._settings, self._run, self._data, self._name, training, target
                )
                _rename(target, folder)
            file = scores_file(self._run, self._name, "finetune", training)
            self._scores[training] = InDistributionScores.read(file)
        return self._scores[training]

    def adapt(self, draw: Draw, cell: Cell) -> Adapted:
        """Returns the scores of the OOD test images after fine-tuning on a draw.

        A killed cell resumes in `work/`: finished candidates are not repeated, the next one resumes
        from its last checkpoint.
        """
        training = cell.seed % self._settings.trainings(cell.mode)
        names = candidate_names(self._settings)
        score = selection(self._settings, self._data, draw)
        targets = self._data.judged_pool.targets()[draw.validation]
        unchanged = score(targets, self._pool_scores(training)[draw.validation])
        zero_shot = self.in_distribution(training).zero_shot
        if unchanged is None:
            return Adapted(zero_shot, Choice(names, (None,) * len(names), 0))
        export = model_folder(self._run, self._name, training) / "export"
        base = self._settings.finetuning("ood", os.path.abspath(export), cell.seed, self._name)
        settings = [candidate.of(base) for candidate in self._settings.select.candidates()]
        directories = [
            CandidateDirectory(self._run / "work" / str(cell) / f"candidate-{i}", one.to_dict())
            for i, one in enumerate(settings)
        ]
        data = RunData(
            train=self._data.pool.subset(draw.train),
            validation=self._data.judged_pool.subset(draw.validation),
            test=self._data.test,
            hashes=self._data.hashes,
            summary={},
        )
        operations = base.images.operations()

        def fitted(index: int, scores_test: bool) -> model.FitResult:
            fit = self._reset(settings[index], training)
            # A killed cell resumes only from the model that it began with.
            directories[index].pin({"weights": _digest(self._weights)})
            return fit(settings[index], directories[index], data, *operations, scores_test)

        def trained(index: int) -> float:
            logits = fitted(index, scores_test=False).validation_logits
            found = score(targets, logits)
            assert found is not None  # the images are those of `unchanged`
            return found

        choice = Choice.best(names, [unchanged, *train_candidates(directories, trained)])
        if choice.chosen == 0:
            return Adapted(zero_shot, choice)
        return Adapted(fitted(choice.chosen - 1, scores_test=True).test_logits, choice)

    def _pool_scores(self, training: int) -> Scores:
        """Returns the scores of the OOD pool by an in-distribution model."""
        scores = self.in_distribution(training)
        if scores.pool is None:  # a model of version 0.1
            export = os.path.abspath(model_folder(self._run, self._name, training) / "export")
            settings = self._settings.finetuning("ood", export, arm=self._name)
            self._reset(settings, training)
            assert self._trainable is not None
            pool = predict.predict(
                gradient.logits_of(self._trainable.classifier),
                self._data.pool,
                settings.images.operations()[1],
                settings.optimization.batch_size,
                "Scoring the OOD pool",
            )
            scores = self._scores[training] = dataclasses.replace(scores, pool=pool)
        assert scores.pool is not None
        return scores.pool

    def _reset(self, settings: FinetuneSettings, training: int) -> gradient.GradientFit:
        """Returns the traced fit, its model set to the weights of an in-distribution model."""
        export = model_folder(self._run, self._name, training) / "export"
        if self._fit is None or self._trainable is None:
            distribution = Distribution.from_name("none")
            self._trainable = model.build(settings, distribution.strategy, logging.DEBUG)
            _restore_head(self._trainable, export)
            self._weights = self._trainable.copied_weights()
            # The summary counts the cells whose validation patients are too few.
            self._fit = gradient.GradientFit(distribution, self._trainable, logging.DEBUG)
        elif training != self._training:
            loaded = resolve.load_backbone(settings.model.checkpoint, settings.seed)
            own = self._trainable.classifier.backbone.named_variables()
            for name, variable in loaded.backbone.named_variables().items():
                own[name].assign(variable.numpy())
            _restore_head(self._trainable, export)
            self._weights = self._trainable.copied_weights()
        self._training = training
        self._trainable.restore_weights(self._weights)
        return self._fit


def _train_in_distribution(
    study: StudySettings,
    run: StudyDirectory,
    data: StudyData,
    name: str,
    training: int,
    work: pathlib.Path,
) -> None:
    """Fine-tunes an arm on the in-distribution data; leaves export and scores in `work`."""
    start = time.monotonic()
    spec = study.arms[name]
    base = study.finetuning("id", spec, training, name)
    distribution = Distribution.from_name("none")
    trainable = model.build(base, distribution.strategy)
    directory = RunDirectory(work, base.to_dict())
    directory.write_environment(trainable.provenance.to_json())
    weights = backbone.digest(trainable.classifier.backbone)
    pin_weights(run, name, weights, training, resolve.is_random(spec))
    train_ops, eval_ops = base.images.operations()
    result, choice = best_candidate.fit_best(
        base,
        study.select,
        work,
        {"data": data.inside.digest(), "weights": weights},
        distribution,
        trainable,
        data.inside,
        train_ops,
        eval_ops,
    )

    def predicted(split: str) -> Scores:
        return predict.predict(
            gradient.logits_of(result.classifier),
            getattr(data, split),
            eval_ops,
            base.optimization.batch_size,
            f"Scoring the OOD {split}",
        )

    zero_shot, pool = predicted("test"), predicted("pool")
    train = data.inside.train
    known = len(train.with_known_label())
    site = shared_names.base_name(study.id.name)  # by default the end of the path of its data
    save_classifier.save(
        result.classifier,
        eval_ops,
        name=name,
        provenance=Provenance(
            origin="training",
            description=f"Fine-tuned on {images_of_patients(len(train), known, site)}.",
            details={
                "labels": list(base.data.labels),
                "method": "finetune",
                licences.DATA: [licences.data_record(base.data.source, base.data.data_terms)],
            },
            parent=trainable.provenance,
        ),
        directory=directory / "export",
        seen=SeenImages.from_checkpoint(spec).extended(data.inside.learnt_from()),
        label_policies={"source": base.data.source, **base.data.policies.to_json()},
        overwrite=True,
    )
    chosen = study.select.candidates()[choice.chosen].of(base)
    files.write_json(directory / "config.json", chosen.to_dict())
    tuning = {"chosen": choice.names[choice.chosen]}
    scores = InDistributionScores(
        result.test_logits,
        zero_shot,
        trainable.provenance,
        time.monotonic() - start,
        pool,
        tuning | {"scores": dict(zip(choice.names, choice.scores, strict=True))},
    )
    scores.write(directory / SCORES)


def _rename(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Gives a finished directory its final name, unless another process was faster."""
    for checkpoints in work.glob("candidate-*/checkpoints"):  # the export has the best weights
        shutil.rmtree(checkpoints, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    try:
        os.replace(work, folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(work, ignore_errors=True)


def _digest(weights: Mapping[str, np.ndarray]) -> str:
    """Returns a SHA-256 of names and values of weights."""
    sha256 = hashlib.sha256()
    for name, values in sorted(weights.items()):
        sha256.update(f"{name} {values.shape}\n".encode())
        sha256.update(np.ascontiguousarray(values).tobytes())
    return sha256.hexdigest()


def _restore_head(trainable: model.TrainableModel, export: pathlib.Path) -> None:
    """Sets the head of a classifier, whose backbone is that of an export, to the export's head."""
    head = {
        name: variable
        for name, variable in trainable.classifier.named_variables().items()
        if name.startswith(HEAD)
    }
    for name, array in checkpoint.arrays(os.fspath(export), head, "head").items():
        head[name].assign(np.asarray(array))
