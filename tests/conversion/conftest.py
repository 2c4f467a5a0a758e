import numpy as np
import pytest
import tensorflow as tf
import zoo_helpers
from memory_source import pictures, source_in_memory  # noqa: F401

from remedis.conversion import agreement, source_model
from remedis.conversion.source_model import OUTPUTS, SourceModel
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo import checkpoint, random_weights, save_backbone, save_classifier, serving
from remedis.zoo.export import BACKBONE_KIND, Description

LABELS = ("effusion", "mass, 2 cm")
THRESHOLDS = {
    "youden": {LABELS[0]: 0.5, LABELS[1]: None},
    "target_sensitivity": {LABELS[0]: 0.25, LABELS[1]: 0.125},
    "target": 0.9,
}
RESIZE = "resize(32)"


@pytest.fixture(scope="session")
def weights():
    return random_weights.draw(0, zoo_helpers.TINY)


@pytest.fixture(scope="session")
def classifier(weights):
    """A calibrated classifier with random weights, head included."""
    backbone = checkpoint.build_backbone(weights)
    made = Classifier(backbone, LABELS)
    rng = np.random.default_rng(0)
    made.set_head(rng.normal(0, 0.1, (backbone.map_channels, 2)), [0.25, -0.25])
    made.calibrate([0.5, 2.0], [0.125, -1.0])
    return made


@pytest.fixture(scope="session")
def sources(weights, classifier, tmp_path_factory):
    """A backbone and the classifier on it by their kind, without files: these take seconds."""
    root = tmp_path_factory.mktemp("sources")
    common = {
        "units": weights.architecture.units,
        "width": weights.architecture.width,
        "final_norm": weights.final_norm,
        "value_range": (0.0, 1.0),
        "backbone_range": weights.backbone_range,
        "parameters": weights.architecture.parameters(weights.final_norm),
        "tensors": 1,
        "signatures": (),
        "provenance": weights.provenance,
        "backbone": weights.architecture.name,
        "preprocess": RESIZE,
    }
    backbone = Description(kind=BACKBONE_KIND, name="b", **common)
    scores = Description(
        kind="classifier",
        name="c",
        labels=LABELS,
        calibration={"method": "platt", "scale": [0.5, 2.0], "offset": [0.125, -1.0]},
        thresholds=THRESHOLDS,
        **common,
    )
    resize = parse(RESIZE, deterministic=True)
    made = {}
    for description, head in ((backbone, None), (scores, classifier)):
        kind = "backbone" if head is None else "classifier"
        (root / kind).mkdir()
        source = SourceModel(
            root / kind, description, classifier.backbone, head, resize, reference=dict
        )
        made[kind] = _with_reference(source)
    return made


def _with_reference(source):
    images = tf.TensorSpec([None, None, None, 3])
    compute = tf.function(source.outputs, input_signature=[images], autograph=False)

    def reference(images):
        found = compute(images)
        return {name: found[name].numpy() for name in OUTPUTS[source.kind]}

    object.__setattr__(source, "reference", reference)
    return source


@pytest.fixture
def ready(sources, monkeypatch):
    """Folders whose models are loaded already, by kind; exports are compared on few images."""
    by_folder = {source.folder: source for source in sources.values()}
    monkeypatch.setattr(source_model, "load", by_folder.__getitem__)
    monkeypatch.setattr(agreement, "COUNT", 2)
    return {kind: source.folder for kind, source in sources.items()}


@pytest.fixture(scope="session")
def folders(weights, classifier, tmp_path_factory):
    """The same models as SavedModel folders, by kind."""
    root = tmp_path_factory.mktemp("models")
    resize = parse(RESIZE, deterministic=True)
    with pytest.MonkeyPatch.context() as patched:
        # Traces for wrong input take most of the time.
        patched.setattr(serving, "REFUSED", ())
        patched.setattr(serving, "WIDENED", ())
        save_backbone.save(
            classifier.backbone,
            name="b",
            directory=root / "backbone",
            preprocess=resize,
            provenance=weights.provenance,
        )
        save_classifier.save(
            classifier,
            resize,
            name="c",
            directory=root / "classifier",
            thresholds=THRESHOLDS,
            calibration={"method": "platt"},
            provenance=weights.provenance,
        )
    return {kind: root / kind for kind in ("backbone", "classifier")}


@pytest.fixture
def few_traces(monkeypatch):
    """Exports without the traces for wrong input, which take most of the time."""
    monkeypatch.setattr(serving, "REFUSED", ())
    monkeypatch.setattr(serving, "WIDENED", ())
