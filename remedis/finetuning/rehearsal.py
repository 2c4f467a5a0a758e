"""Made-up data and random weights for a config's `:rehearsal`, inside the run's own directory."""

import pathlib
from collections.abc import Callable, Mapping

import ml_collections

from remedis import synthetic
from remedis.data import manifest as manifests
from remedis.data import sources
from remedis.errors import UserError, unknown_choice
from remedis.training.run_directory import RunDirectory
from remedis.zoo import builder, names

ARCHITECTURE = "50x1"  # where the config asks for none
IMAGE_SIZE = 96  # pixels of the made-up radiographs; patches have the size of the real ones


def prepared(config: ml_collections.ConfigDict, run: RunDirectory) -> ml_collections.ConfigDict:
    """Returns the config with `data_dir` and `checkpoint` set to what was made, where they are not.

    What is there already, from the same run before it was killed, is used again.

    Raises:
      UserError: there is no made-up data of the layout `config.rehearsal` names, or no checkpoint
        of the architecture the config asks for.
    """
    config = config.copy_and_resolve_references()
    folder = run.shared / "rehearsal"
    if config.rehearsal not in LAYOUTS:
        raise unknown_choice("layout of made-up data", config.rehearsal, LAYOUTS)
    if not config.data_dir:
        config.data_dir = str(LAYOUTS[config.rehearsal](folder / "data"))
        print(f"Rehearsal: made-up data in {config.data_dir}.", flush=True)
    if not config.checkpoint:
        data_type = "path" if config.rehearsal in PATHOLOGY else "cxr"
        name = str(names.CheckpointName(data_type, config.architecture or ARCHITECTURE, "m"))
        target = folder / name
        if not target.is_dir():
            print(f"Rehearsal: building {name} with random weights ...", flush=True)
            builder.build(name, "random:0", folder, command="rehearsal")
        config.checkpoint = str(target)
    return config


def made_once(target: pathlib.Path, make: Callable[[], object]) -> pathlib.Path:
    """Returns `target`, made if it is not there; another process may make it at the same time."""
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


def _wilds_camelyon17(folder: pathlib.Path) -> pathlib.Path:
    return made_once(folder / "camelyon17_v1.0", lambda: synthetic.write_wilds_camelyon17(folder))


def _csv(folder: pathlib.Path) -> pathlib.Path:
    """Makes a user's own directory: the images of the CheXpert layout with a `manifest.csv`."""
    data_dir = _chexpert(folder)
    target = data_dir / "manifest.csv"
    if not target.is_file():
        made = sources.load("chexpert", data_dir)
        manifests.write_csv(made, target)
    return data_dir


LAYOUTS: Mapping[str, Callable[[pathlib.Path], pathlib.Path]] = {
    "chexpert": _chexpert,
    "chestxray14": _chestxray14,
    "mimic_cxr": _mimic_cxr,
    "patch_camelyon": _patch_camelyon,
    "wilds_camelyon17": _wilds_camelyon17,
    "csv": _csv,
}
PATHOLOGY = ("patch_camelyon", "wilds_camelyon17")
