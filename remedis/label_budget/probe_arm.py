"""The mode `probe`: a linear head on embeddings that are computed once per arm."""

import logging
import time

import numpy as np
import pandas as pd

from remedis.data.manifest import Manifest
from remedis.evaluation.l2sp import PENALTIES, StartingPoint, adapt
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.linear_probe import linear_probe
from remedis.finetuning.tuning_grid import UNCHANGED, Choice
from remedis.inference import embedding_store
from remedis.label_budget.arm import Adapted, InDistributionScores, pin_weights, selection
from remedis.label_budget.budgets import Draw
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import StudySettings
from remedis.models import backbone
from remedis.models.classifier import Classifier
from remedis.models.tasks import MULTI_CLASS
from remedis.zoo import resolve

_LOG = logging.getLogger(__name__)

# Of every cell, in the order in which ties are broken.
CANDIDATES = (UNCHANGED, *(f"penalty {penalty:g}" for penalty in PENALTIES))


class ProbeArm:
    """An arm whose embeddings are stored.

    Its in-distribution probe is solved exactly, so it has one in-distribution training: another one
    on the same images would give the same probe.
    """

    def __init__(
        self, settings: StudySettings, run: StudyDirectory, data: StudyData, name: str
    ) -> None:
        """Computes embeddings that are not stored yet, and solves the in-distribution probe.

        Args:
          settings: of the study.
          run: the study's directory.
          data: of the study.
          name: of the arm.

        Raises:
          UserError: the arm's checkpoint does not exist, or the embeddings cannot be stored.
        """
        start = time.monotonic()
        checkpoint = settings.arms[name]
        finetuning = settings.finetuning("id", checkpoint)
        loaded = resolve.load_backbone(checkpoint, finetuning.seed)
        _LOG.info(f"Checkpoint: {checkpoint}: {loaded.provenance.description}")
        classifier = Classifier(loaded.backbone, finetuning.data.labels, finetuning.model.head_norm)
        pin_weights(run, name, backbone.digest(loaded.backbone))
        _, eval_ops = finetuning.images.operations()
        stored = embedding_store.of_head(
            classifier, run.models / "embeddings", eval_ops, finetuning.optimization.batch_size
        )

        def embedded(split: Manifest, hashes: "pd.Series[str]", what: str) -> np.ndarray:
            return stored(split, hashes, f"{name}: embedding {what}")

        inside = data.inside
        train = embedded(inside.train, inside.hashes, "ID train")
        validation = embedded(inside.validation, inside.hashes, "ID validation")
        test = embedded(inside.test, inside.hashes, "ID test")
        probe = linear_probe(
            train,
            inside.train.targets(),
            validation,
            inside.validation.targets(),
            task=settings.task,
            validation_groups=inside.validation.table["patient_id"],
        )
        starting_point = StartingPoint.from_probe(probe, train)
        self._settings, self._data = settings, data
        self._targets, self._judged = data.pool.targets(), data.judged_pool.targets()
        self._pool = starting_point.project(embedded(data.pool, data.hashes, "OOD pool"))
        self._test = starting_point.project(embedded(data.test, data.hashes, "OOD test"))
        penalties = dict(zip(finetuning.data.labels, map(float, probe.penalties), strict=True))
        self._in_distribution = InDistributionScores(
            starting_point.logits(test),
            self._test.logits,
            loaded.provenance,
            time.monotonic() - start,
            self._pool.logits,
            {"penalties": penalties},
        )

    def in_distribution(self, training: int) -> InDistributionScores:
        """Returns the scores of the in-distribution probe."""
        assert training == 0
        return self._in_distribution

    def adapt(self, draw: Draw, cell: Cell) -> Adapted:
        """Returns the scores of the OOD test images after adaptation to a draw."""
        del cell  # nothing is random, and no file is written
        targets = np.where(draw.validation[:, None], self._judged, self._targets)
        adapted = adapt(
            self._pool,
            targets,
            draw.train,
            draw.validation,
            self._test,
            softmax=self._settings.task == MULTI_CLASS,
            score=selection(self._settings, self._data, draw),
        )
        names = dict(zip((np.inf, *PENALTIES), CANDIDATES, strict=True))
        choice = Choice(
            tuple(names[penalty] for penalty in adapted.scores),
            tuple(adapted.scores.values()),
            list(adapted.scores).index(adapted.penalty),
        )
        return Adapted(adapted.logits.astype(np.float32), choice)
