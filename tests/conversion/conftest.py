import numpy as np
import pytest
import zoo_helpers
from memory_source import pictures, source_in_memory  # noqa: F401

from remedis.conversion import source_model
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo import checkpoint, random_weights, save_backbone, save_classifier, serving

LABELS = ("effusion", "mass, 2 cm")
THRESHOLDS = {
    "youden": {LABELS[0]: 0.5, LABELS[1]: None},
    "target_sensitivity": {LABELS[0]: 0.25, LABELS[1]: 0.125},
    "target": 0.9,
}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A backbone and a calibrated classifier as folders, by their kind."""
    root = tmp_path_factory.mktemp("models")
    weights = random_weights.draw(0, zoo_helpers.TINY)
    backbone = checkpoint.build_backbone(weights)
    resize = parse("resize(32)", deterministic=True)
    rng = np.random.default_rng(0)
    classifier = Classifier(backbone, LABELS)
    classifier.set_head(rng.normal(0, 0.1, (backbone.map_channels, 2)), [0.25, -0.25])
    classifier.calibrate([0.5, 2.0], [0.125, -1.0])
    about = {"provenance": weights.provenance, "pixel_range": "checked"}
    with pytest.MonkeyPatch.context() as patched:
        # Traces for wrong input take most of the time.
        patched.setattr(serving, "REFUSED", ())
        patched.setattr(serving, "WIDENED", ())
        save_backbone.save(
            backbone, name="b", directory=root / "backbone", preprocess=resize, **about
        )
        save_classifier.save(
            classifier,
            resize,
            name="c",
            directory=root / "classifier",
            thresholds=THRESHOLDS,
            calibration={"method": "platt"},
            **about,
        )
    return {kind: root / kind for kind in ("backbone", "classifier")}


@pytest.fixture(scope="session")
def sources(folders):
    """The loaded models, by their kind."""
    return {kind: source_model.load(folder) for kind, folder in folders.items()}


@pytest.fixture
def few_traces(monkeypatch):
    """Exports without the traces for wrong input, which take most of the time."""
    monkeypatch.setattr(serving, "REFUSED", ())
    monkeypatch.setattr(serving, "WIDENED", ())


@pytest.fixture
def ready(sources, monkeypatch):
    """Loads each model once for all tests."""
    by_folder = {str(source.folder): source for source in sources.values()}
    load = source_model.load
    monkeypatch.setattr(
        source_model, "load", lambda model: by_folder.get(str(model)) or load(model)
    )
