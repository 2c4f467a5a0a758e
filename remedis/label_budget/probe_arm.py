"""The mode `probe`: a linear head on embeddings that are computed once per arm."""

import logging
import time
from typing import Protocol

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
from remedis.label_budget.thumbnail_arm import Thumbnails, is_floor
from remedis.models import backbone
from remedis.models.classifier import Classifier
from remedis.models.tasks import MULTI_CLASS
from remedis.zoo import resolve
from remedis.zoo.provenance import Provenance

_LOG = logging.getLogger(__name__)

# Of every cell, in the order in which ties are broken.
CANDIDATES = (UNCHANGED, *(f"penalty {penalty:g}" for penalty in PENALTIES))


class Features(Protocol):
    """What a probe learns from: embeddings of a network, or a floor without one.

    Attributes:
      provenance: of the weights.
      digest: of the weights.
    """

    provenance: Provenance
    digest: str

    def __call__(self, images: Manifest, hashes: "pd.Series[str]", title: str) -> np.ndarray:
        """Returns the features [n, C] of images."""


class _Embeddings:
    """Embeddings of the unchanged network of an arm, which are stored."""

    def __init__(self, settings: StudySettings, run: StudyDirectory, name: str) -> None:
        finetuning = settings.finetuning("id", settings.arms[name])
        loaded = resolve.load_backbone(settings.arms[name], finetuning.seed)
        self.provenance, self.digest = loaded.provenance, backbone.digest(loaded.backbone)
        labels, norm = finetuning.data.labels, finetuning.model.head_norm
        self._stored = embedding_store.of_head(
            Classifier(loaded.backbone, labels, norm),
            run.models / "embeddings",
            finetuning.images.operations()[1],
            finetuning.optimization.batch_size,
        )

    def __call__(self, images: Manifest, hashes: "pd.Series[str]", title: str) -> np.ndarray:
        return self._stored(images, hashes, title)


def _features(settings: StudySettings, run: StudyDirectory, data: StudyData, name: str) -> Features:
    if is_floor(settings.arms[name]):
        inside = data.inside
        store = run.models / "embeddings"
        return Thumbnails(settings.arms[name], store, inside.train, inside.hashes)
    return _Embeddings(settings, run, name)


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
        checkpoint, inside = settings.arms[name], data.inside
        stored = _features(settings, run, data, name)
        _LOG.info(f"Checkpoint: {checkpoint}: {stored.provenance.description}")
        pin_weights(run, name, stored.digest)

        def embedded(split: Manifest, hashes: "pd.Series[str]", what: str) -> np.ndarray:
            return stored(split, hashes, f"{name}: embedding {what}")

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
        labels = settings.id.finetuning.data.labels
        penalties = dict(zip(labels, map(float, probe.penalties), strict=True))
        self._in_distribution = InDistributionScores(
            starting_point.logits(test),
            self._test.logits,
            stored.provenance,
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
