"""The mode `probe`: a linear head on embeddings that are computed once an arm."""

import time

import ml_collections
import numpy as np
import pandas as pd

from remedis.data.manifest import Manifest
from remedis.evaluation.l2sp import StartingPoint, adapt
from remedis.evaluation.linear_probe import linear_probe
from remedis.inference import embedding_store
from remedis.label_budget.arm import Home, pin_weights
from remedis.label_budget.budgets import Draw
from remedis.label_budget.cell_store import Scores
from remedis.label_budget.data import Hospitals
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import recipe
from remedis.models import backbone
from remedis.models.classifier import Classifier
from remedis.training import checks
from remedis.zoo import resolve


class ProbedArm:
    """An arm whose embeddings are known.

    Attributes:
      home: scores of the in-distribution probe.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        run: StudyDirectory,
        hospitals: Hospitals,
        name: str,
        checkpoint: str,
    ) -> None:
        """Computes embeddings where they are not stored yet, and solves the ID probe.

        Args:
          config: the study's.
          run: the study's directory.
          hospitals: the data.
          name: of the arm.
          checkpoint: its specification.

        Raises:
          UserError: there is no such checkpoint, or the embeddings cannot be stored.
        """
        started = time.monotonic()
        settings = recipe(config, "id", checkpoint)
        loaded = resolve.load(checkpoint, settings.seed)
        print(f"Checkpoint: {checkpoint}: {loaded.provenance.description}", flush=True)
        classifier = Classifier(loaded.backbone, tuple(settings.labels), settings.head_norm)
        pin_weights(run, name, backbone.digest(loaded.backbone))
        _, ops = checks.operations(settings)
        stored = embedding_store.of_head(classifier, run / "embeddings", ops, settings.batch_size)

        def embedded(part: Manifest, hashes: "pd.Series[str]", what: str) -> np.ndarray:
            return stored(part, hashes, f"{name}: embedding {what}")

        inside = hospitals.inside
        train = embedded(inside.train, inside.hashes, "ID train")
        validation = embedded(inside.validation, inside.hashes, "ID validation")
        test = embedded(inside.test, inside.hashes, "ID test")
        solved = linear_probe(
            train, inside.train.targets(), validation, inside.validation.targets()
        )
        start = StartingPoint.from_probe(solved, train)
        self._targets = hospitals.pool.targets()
        self._pool = start.project(embedded(hospitals.pool, hospitals.hashes, "OOD pool"))
        self._test = start.project(embedded(hospitals.test, hospitals.hashes, "OOD test"))
        self.home = Home(
            start.logits(test), self._test.logits, loaded.provenance, time.monotonic() - started
        )

    def adapted(self, draw: Draw, seed: int, name: str) -> Scores:
        """Returns the scores of the OOD test images after adapting to a draw."""
        del seed, name  # nothing is random, nothing is left
        scores = adapt(self._pool, self._targets, draw.train, draw.validation, self._test)
        return scores.astype(np.float32)
