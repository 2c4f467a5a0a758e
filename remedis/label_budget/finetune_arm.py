"""The mode `finetune`: all layers, first in distribution, then on each budget from there."""

import contextlib
import io
import os
import pathlib
import shutil
import time

import keras
import ml_collections
import numpy as np

from remedis.finetuning import gradient, model
from remedis.finetuning.data import RunData
from remedis.inference import predict
from remedis.label_budget.arm import SCORES, Home, path, pin_weights
from remedis.label_budget.budgets import Draw
from remedis.label_budget.cell_store import Scores
from remedis.label_budget.data import Hospitals
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import Shard, recipe
from remedis.models import backbone
from remedis.models.classifier import HEAD
from remedis.training import checks
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory
from remedis.zoo import checkpoint, save_classifier
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages


class TunedArm:
    """An arm that has been fine-tuned in distribution.

    Attributes:
      home: scores of the in-distribution model.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        run: StudyDirectory,
        hospitals: Hospitals,
        name: str,
        checkpoint: str,
        shard: Shard,
    ) -> None:
        """Trains the in-distribution model if no process has before.

        Each shard trains in a directory of its own and renames it when it is done; the first one
        counts, so that nobody waits for a process that is gone.

        Args:
          config: the study's.
          run: the study's directory.
          hospitals: the data.
          name: of the arm.
          checkpoint: its specification.
          shard: this process.

        Raises:
          UserError: there is no such checkpoint, or the training cannot be done.
        """
        self._config, self._run, self._hospitals = config, run, hospitals
        self._folder = run / "id" / name
        self._kept: tuple[gradient.Fitting, list[tuple[keras.Variable, np.ndarray]]] | None = None
        if not self._folder.is_dir():
            work = run / "work" / f"id-{name}-{shard.number}of{shard.count}"
            _train_inside(config, run, hospitals, name, checkpoint, work)
            _move(work, self._folder)
        self.home = Home.read(path(run, name, "finetune"))

    def adapted(self, draw: Draw, seed: int, name: str) -> Scores:
        """Returns the scores of the OOD test images after fine-tuning on a draw.

        Killed and called again it goes on from its last checkpoint in `work/`.
        """
        export = self._folder / "export"
        settings = recipe(self._config, "ood", os.path.abspath(export), seed)
        work = RunDirectory(self._run / "work" / name, settings.to_dict())
        hospitals = self._hospitals
        parts = RunData(
            train=hospitals.pool.subset(draw.train),
            validation=hospitals.pool.subset(draw.validation),
            test=hospitals.test,
            hashes=hospitals.hashes,
            summary={},
        )
        fitting, weights = self._fitting(settings)
        for variable, value in weights:
            variable.assign(value)
        train_ops, eval_ops = checks.operations(settings)
        return fitting(settings, work, parts, train_ops, eval_ops).test_logits

    def _fitting(
        self, settings: ml_collections.ConfigDict
    ) -> tuple[gradient.Fitting, list[tuple[keras.Variable, np.ndarray]]]:
        """Returns what fits the in-distribution model again and again, and its weights."""
        if self._kept is None:
            distribution = Distribution.from_name("none")
            # What a build prints is said once, of the in-distribution model.
            with contextlib.redirect_stdout(io.StringIO()):
                started = model.build(settings, distribution.strategy)
            _restore_head(started, self._folder / "export")
            named = started.classifier.named_variables()
            weights = [(variable, variable.numpy()) for variable in named.values()]
            self._kept = gradient.Fitting(distribution, started), weights
        return self._kept


def _train_inside(
    config: ml_collections.ConfigDict,
    run: StudyDirectory,
    hospitals: Hospitals,
    name: str,
    spec: str,
    work: pathlib.Path,
) -> None:
    """Fine-tunes an arm in distribution; leaves its export and its scores in `work`."""
    begun = time.monotonic()
    settings = recipe(config, "id", spec)
    directory = RunDirectory(work, settings.to_dict())
    distribution = Distribution.from_name("none")
    started = model.build(settings, distribution.strategy)
    directory.write_environment(started.provenance.to_json())
    # What a killed training left is gone on with on the same data only.
    weights = backbone.digest(started.classifier.backbone)
    directory.pin({"data": hospitals.inside.digest(), "weights": weights})
    pin_weights(run, name, weights)
    train_ops, eval_ops = checks.operations(settings)
    fitted = gradient.fit(
        settings, directory, distribution, started, hospitals.inside, train_ops, eval_ops
    )
    zero_shot = predict.predict(
        gradient.logits_of(fitted.classifier),
        hospitals.test,
        eval_ops,
        settings.batch_size,
        "Scoring the OOD test",
    )
    train = hospitals.inside.train
    save_classifier.save(
        fitted.classifier,
        eval_ops,
        name=name,
        provenance=Provenance(
            origin="training",
            description=f"Fine-tuned on {len(train):,} images of {config.id_name}.",
            details={"labels": list(settings.labels), "method": "finetune"},
            parent=started.provenance,
        ),
        directory=directory / "export",
        seen=SeenImages.of_checkpoint(spec).extended(hospitals.inside.learnt_from()),
        overwrite=True,
    )
    home = Home(fitted.test_logits, zero_shot, started.provenance, time.monotonic() - begun)
    home.write(directory / SCORES)


def _move(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Gives a finished directory its name, unless another process was faster."""
    shutil.rmtree(work / "checkpoints", ignore_errors=True)  # the export has the best weights
    folder.parent.mkdir(exist_ok=True)
    try:
        os.replace(work, folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(work, ignore_errors=True)


def _restore_head(started: model.Model, export: pathlib.Path) -> None:
    """Gives a classifier, whose backbone comes from an export already, the export's head too."""
    head = {
        name: variable
        for name, variable in started.classifier.named_variables().items()
        if name.startswith(HEAD)
    }
    for name, array in checkpoint.arrays(os.fspath(export), head, "head").items():
        head[name].assign(np.asarray(array))
