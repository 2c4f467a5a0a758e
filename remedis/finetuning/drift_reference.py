"""The sample of test patients that an export keeps, so that drift can be found later."""

import logging

import numpy as np
import tensorflow as tf

from remedis.data.manifest import Manifest
from remedis.errors import counted
from remedis.evaluation.intervals import patient_codes
from remedis.evaluation.permutations import one_per_patient
from remedis.finetuning.settings import FinetuneSettings
from remedis.inference import predict
from remedis.models.classifier import Classifier
from remedis.preprocess import Preprocess
from remedis.zoo.reference_sample import FILE, ReferenceSample

_LOG = logging.getLogger(__name__)

MOST = 10_000  # patients; 80 MB of a 50x1


def sampled(
    classifier: Classifier,
    logits: np.ndarray,
    test: Manifest,
    operations: Preprocess,
    settings: FinetuneSettings,
    data: str,
) -> ReferenceSample | None:
    """Returns embeddings and logits of random test patients; None if none are asked for.

    Args:
      classifier: the trained one.
      logits: [rows, labels] of the test images, before calibration.
      test: the test images.
      operations: of evaluation.
      settings: of the run.
      data: name of the test data.
    """
    if not settings.report.reference_patients:
        return None
    codes = patient_codes(test.table["patient_id"])
    rows = one_per_patient(codes, settings.report.reference_patients, settings.seed)
    chosen = np.zeros(len(test), bool)
    chosen[rows] = True
    embeddings = predict.predict(
        tf.function(
            lambda images: classifier.outputs(images)["embedding"],
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        ),
        test.subset(chosen),
        operations,
        settings.optimization.batch_size,
    )
    # In random order: the order of the rows is that of the table, which may be that of the ids.
    order = np.random.default_rng([settings.seed, 2]).permutation(len(rows))
    patients = counted(len(rows), "test patient")
    _LOG.info(
        f"The export keeps embeddings of {patients} without ids ({FILE}), with which "
        "`remedis evaluate` finds drift later; config.reference_patients=0 keeps none."
    )
    return ReferenceSample(
        embeddings[order].astype(np.float32),
        logits[rows][order].astype(np.float32),
        data,
        int(codes.max()) + 1,
    )
