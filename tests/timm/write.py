"""Writes exports in BiT's layout and what they compute here, for `compare.py`.

    python tests/timm/write.py FOLDER

There is a backbone as the release has it, without a final norm and for pixels in [0, 1], and a
classifier with a head of five labels. Their weights are random.
"""

import dataclasses
import pathlib
import sys

import numpy as np
import tensorflow as tf

from remedis.conversion import bit_npz_format
from remedis.conversion.source_model import SourceModel
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo import random_weights
from remedis.zoo.export import BACKBONE_KIND, Description

LABELS = ("a", "b", "c", "d", "e")


def source(labels: tuple[str, ...], final_norm: bool, seed: int) -> SourceModel:
    """Returns a 50x1 with random weights, and with a random head if there are labels."""
    rng = np.random.default_rng(seed)
    weights = random_weights.draw(seed, Architecture.parse("50x1"))
    black_and_white = weights.backbone_range if final_norm else (0.0, 1.0)
    backbone = BiTResNet(weights.architecture, final_norm, black_and_white)
    backbone.assign(weights.arrays)
    for name, variable in backbone.named_variables().items():
        if "group_norm" in name:  # drawn as ones and zeros, which would hide mistakes
            variable.assign_add(0.1 * rng.standard_normal(variable.shape))
    classifier = Classifier(backbone, labels) if labels else None
    if classifier is not None:
        classifier.set_head(0.05 * rng.standard_normal((2048, 5)), rng.standard_normal(5))
    description = Description(
        kind="classifier" if labels else BACKBONE_KIND,
        name="random",
        units=weights.architecture.units,
        width=weights.architecture.width,
        final_norm=final_norm,
        value_range=(0.0, 1.0),
        backbone_range=black_and_white,
        parameters=1,
        tensors=1,
        signatures=(),
        provenance=weights.provenance,
        backbone="50x1",
        labels=labels,
        preprocess="",
    )
    made = SourceModel(
        pathlib.Path("random"), description, backbone, classifier, parse(""), lambda _: {}
    )

    def reference(images: np.ndarray) -> dict[str, np.ndarray]:
        unpooled = backbone(tf.constant(images), training=False)
        found = {"map": unpooled}
        if classifier is not None:
            found |= {"logits": classifier(images), "pooled": classifier.embedding_of(images)}
        return {name: value.numpy() for name, value in found.items()}

    return dataclasses.replace(made, reference=reference)


def main(folder: pathlib.Path) -> None:
    """Writes `backbone.npz`, `classifier.npz` and, for each, `*.outputs`."""
    images = np.random.default_rng(2).uniform(size=(3, 97, 128, 3)).astype(np.float32)
    cases = {"backbone": source((), False, 0), "classifier": source(LABELS, True, 1)}
    for name, model in cases.items():
        path = folder / f"{name}.npz"
        path.touch()
        facts = bit_npz_format.write(model, path)
        with open(folder / f"{name}.outputs", "wb") as file:
            np.savez(
                file,
                images=images,
                labels=np.array(list(model.labels), "U"),
                timm_model=np.array(facts["timm_model"]),
                black_and_white=np.array(model.description.backbone_range, np.float32),
                **{f"output_{key}": value for key, value in model.reference(images).items()},
            )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
