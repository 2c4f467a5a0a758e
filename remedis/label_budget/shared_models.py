"""Fine-tuned in-distribution models that several out-of-distribution sets share."""

import dataclasses
import os
import time

from remedis.finetuning import gradient, model
from remedis.inference import predict
from remedis.label_budget.arm import InDistributionScores, model_folder, scores_file
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.finetune_arm import FinetuneArm
from remedis.label_budget.settings import Shard, StudySettings


class SharedModelArm(FinetuneArm):
    """An arm on a further set: the first set's in-distribution models are scored, not trained."""

    def __init__(
        self,
        settings: StudySettings,
        run: StudyDirectory,
        data: StudyData,
        name: str,
        shard: Shard,
        first: FinetuneArm,
    ) -> None:
        """Prepares the arm.

        Args:
          settings: of the study of the further set.
          run: its directory.
          data: its data.
          name: of the arm.
          shard: of this process.
          first: the arm on the first set, which trains models that are missing.
        """
        super().__init__(settings, run, data, name, shard)
        self._first = first

    def in_distribution(self, training: int) -> InDistributionScores:
        """Returns the scores of an in-distribution model of the first set on this set's images.

        Raises:
          UserError: as `FinetuneArm.in_distribution`.
        """
        if training not in self._scores:
            file = scores_file(self._run, self._name, "finetune", training)
            if not file.is_file():
                self._scored(training).write(file)
            self._scores[training] = InDistributionScores.read(file)
        return self._scores[training]

    def _scored(self, training: int) -> InDistributionScores:
        """Returns the scores; `seconds` are those of scoring alone."""
        trained = self._first.in_distribution(training)
        start = time.monotonic()
        export = os.path.abspath(model_folder(self._run, self._name, training) / "export")
        settings = self._settings.finetuning("ood", export, arm=self._name)
        self._reset(settings, training)
        assert self._trainable is not None
        logits = gradient.logits_of(model.exportable(self._trainable, settings))
        inside = self._settings.finetuning("id", export, arm=self._name)
        zero_shot, pool = (
            predict.predict(
                logits,
                images,
                inside.images.operations()[1],
                inside.optimization.batch_size,
                f"{self._settings.ood.name}: scoring the OOD {name}",
            )
            for name, images in (("test", self._data.test), ("pool", self._data.pool))
        )
        return dataclasses.replace(
            trained, zero_shot=zero_shot, pool=pool, seconds=time.monotonic() - start
        )
