"""Made-up data and random weights for a config's `:rehearsal`, in the run's own directory."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Mapping

from remedis import synthetic
from remedis.data import manifest as manifests
from remedis.data import sources
from remedis.errors import UserError, unknown_choice
from remedis.finetuning.settings import FinetuneSettings
from remedis.training.run_directory import RunDirectory
from remedis.zoo import builder, names
from remedis.zoo.licences import MADE_UP

_LOG = logging.getLogger(__name__)

ARCHITECTURE = "50x1"  # unless the settings name one
IMAGE_SIZE = 96  # pixels of the made-up radiographs; patches have the size of the real ones


def prepared(settings: FinetuneSettings, run: RunDirectory) -> FinetuneSettings:
    """Returns the settings with made-up data and a random checkpoint where none are named.

    Data and checkpoint that a killed run left are used again.

    Raises:
      UserError: there are no made-up data of the layout `config.rehearsal` names, or no checkpoint
        of the architecture the settings ask for.
    """
    layout, folder = settings.rehearsal, run.shared / "rehearsal"
    if layout not in LAYOUTS:
        raise unknown_choice("layout of made-up data", layout, LAYOUTS)
    if not settings.data.data_dir:
        data_dir = str(LAYOUTS[layout](folder / "data"))
        data = dataclasses.replace(settings.data, data_dir=data_dir, data_terms=MADE_UP)
        settings = dataclasses.replace(settings, data=data)
        _LOG.info(f"Rehearsal: made-up data in {data_dir}.")
    if not settings.model.checkpoint:
        data_type = "path" if layout in PATHOLOGY else "cxr"
        architecture = settings.model.architecture or ARCHITECTURE
        name = str(names.CheckpointName(data_type, architecture, "m"))
        target = folder / name
        if not target.is_dir():
            _LOG.info(f"Rehearsal: building {name} with random weights ...")
            builder.build(name, "random:0", folder, command="rehearsal")
        model = dataclasses.replace(settings.model, checkpoint=str(target))
        settings = dataclasses.replace(settings, model=model)
    return settings


def made_once(target: pathlib.Path, make: Callable[[], object]) -> pathlib.Path:
    """Returns `target`; makes it if it is missing. Another process may make it concurrently."""
    if not target.is_dir():
        try:
            make()
        except (UserError, OSError):
            if not target.is_dir():
                raise
    return target


def _chexpert(folder: pathlib.Path) -> pathlib.Path:
    return made_once(
        folder / "CheXpert-v1.0-small",
        lambda: synthetic.write_chexpert(folder, image_size=IMAGE_SIZE),
    )


def _chestxray14(folder: pathlib.Path) -> pathlib.Path:
    return made_once(
        folder / "ChestX-ray14",
        lambda: synthetic.write_chestxray14(folder, image_size=IMAGE_SIZE),
    )


def _mimic_cxr(folder: pathlib.Path) -> pathlib.Path:
    return made_once(
        folder / "mimic-cxr-jpg-2.0.0",
        lambda: synthetic.write_mimic_cxr(folder, image_size=IMAGE_SIZE),
    )


def _patch_camelyon(folder: pathlib.Path) -> pathlib.Path:
    return made_once(folder / "pcam", lambda: synthetic.write_patch_camelyon(folder))


def _camelyon16(folder: pathlib.Path) -> pathlib.Path:
    return made_once(folder / "CAMELYON16", lambda: synthetic.write_camelyon16(folder))


def _camelyon17(folder: pathlib.Path) -> pathlib.Path:
    return made_once(folder / "CAMELYON17", lambda: synthetic.write_camelyon17(folder))


def _wilds_camelyon17(folder: pathlib.Path) -> pathlib.Path:
    return made_once(folder / "camelyon17_v1.0", lambda: synthetic.write_wilds_camelyon17(folder))


def _csv(folder: pathlib.Path) -> pathlib.Path:
    """Makes a user's own folder: the images of the CheXpert layout with a `manifest.csv`."""
    data_dir = _chexpert(folder)
    target = data_dir / "manifest.csv"
    if not target.is_file():
        manifests.write_csv(sources.load("chexpert", data_dir), target)
    return data_dir


def _skin(folder: pathlib.Path) -> pathlib.Path:
    return made_once(folder / "skin", lambda: synthetic.write_skin(folder, image_size=IMAGE_SIZE))


def _fundus(folder: pathlib.Path) -> pathlib.Path:
    return made_once(
        folder / "fundus", lambda: synthetic.write_fundus(folder, image_size=IMAGE_SIZE)
    )


def _mammography(folder: pathlib.Path) -> pathlib.Path:
    return made_once(
        folder / "mammography", lambda: synthetic.write_mammograms(folder, image_size=IMAGE_SIZE)
    )


# Of the source `csv`, the last three are data of one task each.
LAYOUTS: Mapping[str, Callable[[pathlib.Path], pathlib.Path]] = {
    "chexpert": _chexpert,
    "chestxray14": _chestxray14,
    "mimic_cxr": _mimic_cxr,
    "camelyon16": _camelyon16,
    "camelyon17": _camelyon17,
    "patch_camelyon": _patch_camelyon,
    "wilds_camelyon17": _wilds_camelyon17,
    "csv": _csv,
    "skin": _skin,
    "fundus": _fundus,
    "mammography": _mammography,
}
PATHOLOGY = ("camelyon16", "camelyon17", "patch_camelyon", "wilds_camelyon17")
