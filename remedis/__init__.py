"""Foundation models for medical imaging: build, load, fine-tune, evaluate.

    import remedis

    folder = remedis.build("cxr-50x1-remedis-m", "bit:BiT-M-R50x1.npz")
    config = remedis.load_config("own_data", checkpoint=folder, data_dir="/data/mine")
    run = remedis.finetune(config, "runs/mine")
    run.table()

The functions do what the commands do. Importing the package loads neither TensorFlow nor Keras nor
pandas; the first use of a function does. Nothing is printed: warnings and progress are records of
the logger `remedis`.

Research software. Nothing it makes is a diagnostic device.
"""

import importlib
from typing import TYPE_CHECKING, Any

from remedis import keras_registration
from remedis.errors import UserError

if TYPE_CHECKING:
    from remedis import synthetic
    from remedis.api.dicom_reports import Reported, report
    from remedis.api.embedding_archives import embed_archive
    from remedis.api.embedding_search import find_duplicates, find_outliers, search
    from remedis.api.embeddings import embed
    from remedis.api.explanations import Explained, explain
    from remedis.api.image_predictions import predict
    from remedis.api.imported_predictions import import_predictions
    from remedis.api.labelled_data import load_manifest
    from remedis.api.model_exports import export
    from remedis.api.named_checkpoints import build, describe, list_models
    from remedis.api.named_configs import load_config
    from remedis.api.robustness_sweep import Robustness, robustness
    from remedis.api.run_records import Run, Study, load_run, load_study
    from remedis.api.trained_classifiers import calibrate, evaluate
    from remedis.api.training_jobs import finetune, ood_curves, pretrain
    from remedis.conversion.convert import Converted
    from remedis.data.manifest import Manifest
    from remedis.inference.duplicate_images import DuplicateImages
    from remedis.inference.embed import Embedded
    from remedis.inference.embedding_archive import EmbeddedArchive
    from remedis.inference.outlying_images import OutlyingImages
    from remedis.inference.predictions import Predictions
    from remedis.inference.recalibrate import Recalibrated
    from remedis.inference.similar_images import SimilarImages
    from remedis.zoo.backbone_layer import BackboneLayer, load_backbone

__version__ = "0.2.0"
__all__ = [
    "BackboneLayer",
    "Converted",
    "DuplicateImages",
    "Embedded",
    "EmbeddedArchive",
    "Explained",
    "Manifest",
    "OutlyingImages",
    "Predictions",
    "Recalibrated",
    "Reported",
    "Robustness",
    "Run",
    "SimilarImages",
    "Study",
    "UserError",
    "__version__",
    "build",
    "calibrate",
    "describe",
    "embed",
    "embed_archive",
    "evaluate",
    "explain",
    "export",
    "find_duplicates",
    "find_outliers",
    "finetune",
    "import_predictions",
    "list_models",
    "load_backbone",
    "load_config",
    "load_manifest",
    "load_run",
    "load_study",
    "ood_curves",
    "predict",
    "pretrain",
    "report",
    "robustness",
    "search",
    "synthetic",
]

# The module of each name that is loaded on its first use.
_LAZY = {
    "BackboneLayer": "remedis.zoo.backbone_layer",
    "Converted": "remedis.conversion.convert",
    "DuplicateImages": "remedis.inference.duplicate_images",
    "Embedded": "remedis.inference.embed",
    "Explained": "remedis.api.explanations",
    "EmbeddedArchive": "remedis.inference.embedding_archive",
    "Manifest": "remedis.data.manifest",
    "OutlyingImages": "remedis.inference.outlying_images",
    "Predictions": "remedis.inference.predictions",
    "Recalibrated": "remedis.inference.recalibrate",
    "Reported": "remedis.api.dicom_reports",
    "Robustness": "remedis.api.robustness_sweep",
    "Run": "remedis.api.run_records",
    "SimilarImages": "remedis.inference.similar_images",
    "Study": "remedis.api.run_records",
    "build": "remedis.api.named_checkpoints",
    "calibrate": "remedis.api.trained_classifiers",
    "describe": "remedis.api.named_checkpoints",
    "embed": "remedis.api.embeddings",
    "embed_archive": "remedis.api.embedding_archives",
    "evaluate": "remedis.api.trained_classifiers",
    "explain": "remedis.api.explanations",
    "export": "remedis.api.model_exports",
    "find_duplicates": "remedis.api.embedding_search",
    "find_outliers": "remedis.api.embedding_search",
    "finetune": "remedis.api.training_jobs",
    "import_predictions": "remedis.api.imported_predictions",
    "list_models": "remedis.api.named_checkpoints",
    "load_backbone": "remedis.zoo.backbone_layer",
    "load_config": "remedis.api.named_configs",
    "load_manifest": "remedis.api.labelled_data",
    "load_run": "remedis.api.run_records",
    "load_study": "remedis.api.run_records",
    "ood_curves": "remedis.api.training_jobs",
    "predict": "remedis.api.image_predictions",
    "pretrain": "remedis.api.training_jobs",
    "report": "remedis.api.dicom_reports",
    "robustness": "remedis.api.robustness_sweep",
    "search": "remedis.api.embedding_search",
}

keras_registration.register()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name == "synthetic":
        return importlib.import_module("remedis.synthetic")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
