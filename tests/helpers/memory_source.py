"""Fixtures of models to export without a folder behind them."""

import dataclasses
import pathlib

import bit_weights
import numpy as np
import pytest
from zoo_helpers import TINY

from remedis.conversion.source_model import SourceModel
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo.export import BACKBONE_KIND, Description
from remedis.zoo.provenance import Provenance

RANDOM = Provenance("random", "RANDOM WEIGHTS (seed 0): never trained on anything.")
PROVENANCE = Provenance("training", "Trained for a test.", parent=RANDOM)


def head_of(classifier, seed=1):
    """Gives a classifier weights and a calibration of its own, all different."""
    rng = np.random.default_rng(seed)
    for variable in classifier.head.variables:
        gamma = variable.path.endswith("gamma")
        variable.assign(gamma + 0.1 * rng.standard_normal(variable.shape))
    labels = len(classifier.labels)
    classifier.calibrate(rng.uniform(0.5, 2, labels), rng.uniform(-1, 1, labels))
    return classifier


@pytest.fixture(scope="session")
def source_in_memory():
    """Returns a function that makes a `SourceModel` without a folder behind it."""

    def make(
        labels=("a", "b", "c"), final_norm=True, black_and_white=(-1.0, 1.0), backbone=None, **head
    ):
        if backbone is None:
            backbone = BiTResNet(TINY, final_norm, black_and_white)
            backbone.assign(bit_weights.weights(TINY, final_norm))
        classifier = head_of(Classifier(backbone, labels, **head)) if labels else None
        description = Description(
            kind="classifier" if labels else BACKBONE_KIND,
            name="tiny",
            units=TINY.units,
            width=TINY.width,
            final_norm=final_norm,
            value_range=(0.0, 1.0),
            backbone_range=black_and_white,
            parameters=1,
            tensors=1,
            signatures=(),
            provenance=PROVENANCE,
            backbone=backbone.architecture_name,
            labels=labels,
            preprocess="resize(32)",
        )
        if classifier is not None:
            fitted = {"method": "platt", "fitted_on": {"cases": 9}}
            fitted["scale"] = np.asarray(classifier.scale).tolist()
            fitted["offset"] = np.asarray(classifier.offset).tolist()
            description = dataclasses.replace(
                description,
                calibration=fitted,
                task=classifier.task,
                head_norm=classifier.head_norm,
            )
        prepare = parse("resize(32)")
        folder = pathlib.Path("runs/tiny/export")
        source = SourceModel(folder, description, backbone, classifier, prepare, lambda _: {})

        def reference(images):
            return {name: value.numpy() for name, value in source.outputs(images).items()}

        return dataclasses.replace(source, reference=reference)

    return make


@pytest.fixture(scope="session")
def pictures():
    """Images [2, 40, 33, 3] float32 in [0, 1]."""
    return np.random.default_rng(0).uniform(size=(2, 40, 33, 3)).astype(np.float32)
