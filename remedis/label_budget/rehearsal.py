"""Two made-up hospitals for a config's `:rehearsal`, inside the study's own directory."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping

import ml_collections

from remedis import synthetic
from remedis.data import manifest as manifests
from remedis.data import sources
from remedis.errors import unknown_choice
from remedis.finetuning.rehearsal import made_once
from remedis.label_budget.directory import StudyDirectory

# Darker and tighter films than those of hospital A, but no noisier ones: what a model trained at A
# gets wrong here, labels can mend. At A a bedside film is a sign of disease. Here the sick are
# filmed upright more often than others, so that it is a sign of health.
HOSPITAL_C = dataclasses.replace(
    synthetic.HOSPITAL_A,
    name="hospital C",
    exposure=0.72,
    contrast=0.70,
    zoom=1.2,
    height=0.07,
    marker="R",
    marker_height=0.85,
    share_ap=0.85,
    ap_sick=-0.8,
)
IMAGE_SIZE = 64  # pixels of the made-up radiographs; patches have the size of the real ones
SLIDES, PATCHES = 20, 40  # of every centre, of every slide


def prepared(config: ml_collections.ConfigDict, run: StudyDirectory) -> ml_collections.ConfigDict:
    """Returns the config with both data directories set to what was made, where they are not.

    Raises:
      UserError: there is no such pair of hospitals.
    """
    if config.rehearsal not in PAIRS:
        raise unknown_choice("pair of rehearsal hospitals", config.rehearsal, PAIRS)
    config = config.copy_and_resolve_references()
    inside, outside = PAIRS[config.rehearsal](run / "rehearsal")
    config.id_data_dir = config.id_data_dir or os.path.abspath(inside)
    config.ood_data_dir = config.ood_data_dir or os.path.abspath(outside)
    print(f"Rehearsal: made-up data in {config.id_data_dir} and {config.ood_data_dir}.", flush=True)
    return config


def _chest(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes hospital A in the layout of CheXpert and hospital C in that of ChestX-ray14."""
    inside, outside = folder / "id", folder / "ood"
    size = IMAGE_SIZE
    return (
        made_once(
            inside / "CheXpert-v1.0-small",
            lambda: synthetic.write_chexpert(inside, 500, 160, image_size=size),
        ),
        made_once(
            outside / "ChestX-ray14",
            lambda: synthetic.write_chestxray14(outside, 500, image_size=size, style=HOSPITAL_C),
        ),
    )


def _pathology(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes five centres in the layout of WILDS' Camelyon17; the config takes them apart."""
    made = made_once(
        folder / "camelyon17_v1.0",
        lambda: synthetic.write_wilds_camelyon17(folder, SLIDES, PATCHES),
    )
    return made, made


def _own(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes two directories with a `manifest.csv` each, of the images of `_chest`."""
    labels = ("Cardiomegaly", "Pleural Effusion")
    inside, outside = _chest(folder)
    for source, data_dir in (("chexpert", inside), ("chestxray14", outside)):
        if not (data_dir / "manifest.csv").is_file():
            made = sources.load(source, data_dir, labels)
            manifests.write_csv(made, data_dir / "manifest.csv")
    return inside, outside


PAIRS: Mapping[str, Callable[[pathlib.Path], tuple[pathlib.Path, pathlib.Path]]] = {
    "chest": _chest,
    "pathology": _pathology,
    "own": _own,
}
