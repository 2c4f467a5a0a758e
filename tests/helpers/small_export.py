"""A fixture of tests that use a classifier: the export of a run that no training made."""

import pathlib

import numpy as np
import pytest


@pytest.fixture(scope="session")
def small_export(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: pathlib.Path
) -> pathlib.Path:
    """The files of a run that commands on classifiers read: an export with a head of noise."""
    from remedis.evaluation.thresholds import Thresholds
    from remedis.models.classifier import Classifier
    from remedis.preprocess import parse
    from remedis.zoo import resolve, save_classifier, serving

    folder = tmp_path_factory.mktemp("runs") / "run"
    loaded = resolve.load_backbone(str(tiny_checkpoint), 0)
    classifier = Classifier(loaded.backbone, ("ill", "well"), head_norm=False)
    rng = np.random.default_rng(0)
    classifier.set_head(rng.normal(0, 0.003, (1024, 2)).astype(np.float32), np.zeros(2, np.float32))
    classifier.calibrate([0.5, 2.0], [0.1, 0.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "REFUSED", ())
        patch.setattr(serving, "WIDENED", ())
        save_classifier.save(
            classifier,
            parse("resize(16)"),
            name="run",
            provenance=loaded.provenance,
            directory=folder / "export",
            thresholds=Thresholds(
                {"ill": 0.5, "well": None}, {"ill": 0.3, "well": None}, 0.9
            ).to_json(),
            seen=[],
        )
    (folder / "config.json").write_text("{}")
    return folder
