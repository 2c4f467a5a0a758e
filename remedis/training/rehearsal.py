"""Made-up data and random weights for a config's `:rehearsal`, inside the run's own directory."""

import pathlib

import ml_collections

from remedis.data import manifest as manifests
from remedis.data import rehearsal, sources
from remedis.errors import unknown_choice
from remedis.training.run_directory import RunDirectory
from remedis.zoo import builder

CHECKPOINT = "cxr-50x1-remedis-m"
IMAGE_SIZE = 96  # pixels of the made-up radiographs


def prepared(config: ml_collections.ConfigDict, run: RunDirectory) -> ml_collections.ConfigDict:
    """Returns the config with `data_dir` and `checkpoint` set to what was made, where they are not.

    What is there already, from the same run before it was killed, is used again.

    Raises:
      UserError: there is no made-up data of the layout `config.rehearsal` names.
    """
    config = config.copy_and_resolve_references()
    folder = run / "rehearsal"
    if not config.data_dir:
        if config.rehearsal not in _LAYOUTS:
            raise unknown_choice("layout of rehearsal data", config.rehearsal, _LAYOUTS)
        config.data_dir = str(_LAYOUTS[config.rehearsal](folder / "data"))
        print(f"Rehearsal: made-up data in {config.data_dir}.", flush=True)
    if not config.checkpoint:
        target = folder / CHECKPOINT
        if not target.is_dir():
            print(f"Rehearsal: building {CHECKPOINT} with random weights ...", flush=True)
            builder.build(CHECKPOINT, "random:0", folder, command="rehearsal")
        config.checkpoint = str(target)
    return config


def _chexpert(folder: pathlib.Path) -> pathlib.Path:
    data_dir = folder / "CheXpert-v1.0-small"
    if not data_dir.is_dir():
        rehearsal.write_chexpert(folder, image_size=IMAGE_SIZE)
    return data_dir


def _chestxray14(folder: pathlib.Path) -> pathlib.Path:
    data_dir = folder / "ChestX-ray14"
    if not data_dir.is_dir():
        rehearsal.write_chestxray14(folder, image_size=IMAGE_SIZE)
    return data_dir


def _csv(folder: pathlib.Path) -> pathlib.Path:
    """Makes a user's own directory: the images of the CheXpert layout with a `manifest.csv`."""
    data_dir = _chexpert(folder)
    target = data_dir / "manifest.csv"
    if not target.is_file():
        made = sources.load("chexpert", data_dir)
        manifests.write_csv(made, target)
    return data_dir


_LAYOUTS = {"chexpert": _chexpert, "chestxray14": _chestxray14, "csv": _csv}
