"""`metadata.json` of an export, with the keys of a MONAI bundle's.

Source: MONAI Bundle Specification (docs/source/mb_specification.rst of Project-MONAI/MONAI).
`monai_version` and `pytorch_version` are left out, since neither has a part in the export, and so
are the optional keys that are not known. Channels are the last dimension here (`layout`), not the
first. Whoever shares the folder can state `authors` and `copyright` in the file.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from remedis.zoo import licences
from remedis.zoo.licences import LicenceRecord
from remedis.zoo.provenance import Provenance

NOT_STATED = "not stated"
INTENDED_USE = "Research. Not a diagnostic device: no output may guide care."
# Chest radiographs have no name among the modalities that the specification knows.
_RADIOGRAPHS = (
    *("chexpert", "chestxray14", "mimic_cxr", "openi", "padchest", "rsna_pneumonia"),
    *("siim_pneumothorax", "vindr_cxr"),
)
_SLIDES = (
    *("camelyon16", "camelyon17", "camelyon_patches", "patch_camelyon", "pcam_kaggle"),
    *("slides", "wilds_camelyon17"),
)
_DATA_TYPES = {
    **dict.fromkeys(("dicom", "rsna_pneumonia", "siim_pneumothorax", "vindr_cxr"), "dicom"),
    "slides": "whole slides",
    "patch_camelyon": "hdf5",
    "medmnist": "npz",
}
_REFERENCES = {
    "release": (
        "Azizi et al., Robust and data-efficient generalization of self-supervised machine "
        "learning for diagnostic imaging. Nat. Biomed. Eng. 7:756-779 (2023)",
    ),
    "bit": ("Kolesnikov et al., Big Transfer (BiT), 2020, arXiv 1912.11370",),
}


def metadata(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of `metadata.json` for a `remedis.json`."""
    provenance = Provenance.from_json(description["provenance"])
    classifies = description["kind"] == "classifier"
    links = description.get("licences") or licences.chain(provenance)
    version, changelog = _version(description)
    software = description["software"]
    found: dict[str, Any] = {
        "version": version,
        "changelog": changelog,
        "numpy_version": np.__version__,
        "required_packages_version": {"tensorflow": software.get("tensorflow", NOT_STATED)},
        "name": description["name"],
        "task": _task(description),
        "description": provenance.description,
        "authors": NOT_STATED,
        "copyright": NOT_STATED,
        "intended_use": INTENDED_USE,
        "data_source": _data_source(links),
        "references": [
            reference for step in _origins(provenance) for reference in _REFERENCES.get(step, ())
        ],
        "network_data_format": {
            "inputs": {"images": _images(description)},
            "outputs": _class_outputs(description) if classifies else {"map": _map(description)},
        },
        "layout": "NHWC",
    }
    source = (description.get("label_policies") or {}).get("source")
    if source:
        found["data_type"] = _DATA_TYPES.get(source, "image files")
    if metrics := _metrics(description, provenance):
        found["eval_metrics"] = metrics
    return found


def _version(description: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Returns version and changelog; a calibration at another place is a new minor version."""
    changelog = {"1.0.0": f"Exported by remedis {description['software'].get('remedis', '')}."}
    data = (description.get("calibration") or {}).get("data")
    if not data:
        return "1.0.0", changelog
    return "1.1.0", {"1.1.0": f"Calibrated on {data}.", **changelog}


def _task(description: Mapping[str, Any]) -> str:
    if description["kind"] != "classifier":
        return "Embedding of medical images: a map of features, and its average"
    how = "one of" if description["task"] == "multi_class" else "each on its own"
    return f"Classification of medical images, {how}: {', '.join(description['labels'])}"


def _data_source(links: list[LicenceRecord]) -> str:
    sentences = [licences.sentence(link) for link in links if link["kind"] == "data"]
    return "; ".join(sentences) or "none"


def _origins(provenance: Provenance) -> list[str]:
    step: Provenance | None = provenance
    found = []
    while step is not None:
        found.append(step.origin)
        step = step.parent
    return found


def _modality(description: Mapping[str, Any]) -> str:
    source = (description.get("label_policies") or {}).get("source")
    name = (description.get("record") or {}).get("name", "")
    if source in _RADIOGRAPHS or name.startswith("cxr"):
        return "chest radiograph"
    return "histopathology" if source in _SLIDES or name.startswith("path") else "n/a"


def _tensor(
    kind: str, form: str, channels: int | None, shape: list[str], values: list[float]
) -> dict[str, Any]:
    return {
        "type": kind,
        "format": form,
        "modality": "n/a",
        "num_channels": channels,
        "spatial_shape": shape,
        "dtype": "float32",
        "value_range": values,
        "is_patch_data": False,
        "channel_def": {},
    }


def _images(description: Mapping[str, Any]) -> dict[str, Any]:
    values = list(description["value_range"])
    tensor = _tensor("image", "magnitude", 3, ["h", "w"], values)
    colours = {"0": "red", "1": "green", "2": "blue"}
    return {**tensor, "modality": _modality(description), "channel_def": colours}


def _map(description: Mapping[str, Any]) -> dict[str, Any]:
    # Rounded up. Networks of Keras have their own rules at the borders.
    shape = ["-(-h//32)", "-(-w//32)"] if description["units"] else ["*", "*"]
    return _tensor("image", "latent", description.get("map_channels"), shape, [])


def _class_outputs(description: Mapping[str, Any]) -> dict[str, Any]:
    labels = description["labels"]
    named = {"channel_def": {str(i): label for i, label in enumerate(labels)}}
    scores = _tensor("probabilities", "classes", len(labels), [], [0.0, 1.0])
    logits = _tensor("tuples", "classes", len(labels), [], [])
    embedding = _tensor("tuples", "latent", description.get("map_channels"), [], [])
    return {
        "probabilities": {**scores, **named},
        "logits": {**logits, **named},
        "embedding": embedding,
    }


def _metrics(description: Mapping[str, Any], provenance: Provenance) -> dict[str, Any]:
    """Returns the mean AUROC with its interval; none for random weights."""
    measured = description.get("performance")
    mean = measured["mean"]["auroc"] if measured else None
    if mean is None or mean["value"] is None or provenance.random:
        return {}
    return {
        "mean_auroc": mean["value"],
        "mean_auroc_interval_95": [mean["low"], mean["high"]],
        "data": measured["data"] if measured else "",
    }
