"""Two made-up hospitals for a config's `:rehearsal`, in the study's own directory."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable, Mapping

from remedis import synthetic
from remedis.data import manifest as manifests
from remedis.data import sources
from remedis.errors import unknown_choice
from remedis.finetuning.rehearsal import LAYOUTS, made_once
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import HospitalSettings, StudySettings
from remedis.zoo.licences import MADE_UP

_LOG = logging.getLogger(__name__)

# Films are darker and tighter than those of hospital A but not noisier, so that labels can correct
# the errors of a model trained at A. At A a bedside film is a sign of disease. Here the sick are
# filmed upright more often than others, so a bedside film is a sign of health.
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
SLIDES, PATCHES = 20, 40  # per centre, per slide
LESION_PATIENTS = 400  # per clinic


def prepared(settings: StudySettings, run: StudyDirectory) -> StudySettings:
    """Returns the settings with made-up data for each hospital that names none.

    Raises:
      UserError: there is no such pair of hospitals, or no made-up data for a further set.
    """
    if settings.rehearsal not in PAIRS:
        raise unknown_choice("pair of rehearsal hospitals", settings.rehearsal, PAIRS)
    inside, outside = PAIRS[settings.rehearsal](run / "rehearsal")
    settings = dataclasses.replace(
        settings,
        id=_with_directory(settings.id, inside),
        ood=_with_directory(settings.ood, outside),
        further={
            name: further
            if further.finetuning.data.data_dir
            else _with_directory(further, _further(further, settings.ood, outside, run))
            for name, further in settings.further.items()
        },
    )
    directories = [h.finetuning.data.data_dir for h in (settings.id, settings.ood)]
    _LOG.info(f"Rehearsal: made-up data in {directories[0]} and {directories[1]}.")
    return settings


def _further(
    hospital: HospitalSettings, first: HospitalSettings, outside: pathlib.Path, run: StudyDirectory
) -> pathlib.Path:
    """Returns the made-up data of a further set: other sites of the first set, or other data."""
    source = hospital.finetuning.data.source
    if source == first.finetuning.data.source:
        return outside
    if source not in FURTHER:
        raise unknown_choice(f"made-up source of {hospital.name!r}", source, FURTHER)
    return FURTHER[source](run / "rehearsal" / hospital.name)


def _with_directory(hospital: HospitalSettings, directory: pathlib.Path) -> HospitalSettings:
    if hospital.finetuning.data.data_dir:
        return hospital
    return hospital.with_data(data_dir=os.path.abspath(directory), data_terms=MADE_UP)


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


def _mimic_cxr(folder: pathlib.Path) -> pathlib.Path:
    """Makes hospital B in the layout of MIMIC-CXR."""
    return made_once(
        folder / "mimic-cxr-jpg-2.0.0",
        lambda: synthetic.write_mimic_cxr(
            folder, 500, image_size=IMAGE_SIZE, style=synthetic.HOSPITAL_B
        ),
    )


def _chest_mimic(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes hospital A in the layout of CheXpert and hospital B in that of MIMIC-CXR."""
    inside = folder / "id"
    return (
        made_once(
            inside / "CheXpert-v1.0-small",
            lambda: synthetic.write_chexpert(inside, 500, 160, image_size=IMAGE_SIZE),
        ),
        _mimic_cxr(folder / "ood"),
    )


def _pathology(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes five centres in the layout of WILDS' Camelyon17; the config divides them."""
    data_dir = made_once(
        folder / "camelyon17_v1.0",
        lambda: synthetic.write_wilds_camelyon17(folder, SLIDES, PATCHES),
    )
    return data_dir, data_dir


def _slides(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes whole slides in the layouts of Camelyon16 and Camelyon17."""
    return LAYOUTS["camelyon16"](folder), LAYOUTS["camelyon17"](folder)


def _own(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes two directories with the images of `_chest` and a `manifest.csv` each."""
    labels = ("Cardiomegaly", "Pleural Effusion")
    inside, outside = _chest(folder)
    for source, data_dir in (("chexpert", inside), ("chestxray14", outside)):
        if not (data_dir / "manifest.csv").is_file():
            manifest = sources.load(source, data_dir, labels)
            manifests.write_csv(manifest, data_dir / "manifest.csv")
    return inside, outside


def _skin(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Makes clinics A and B: lesions at B are darker, yellower and farther away."""
    inside, outside = folder / "id", folder / "ood"
    return (
        made_once(
            inside / "skin",
            lambda: synthetic.write_skin(
                inside, LESION_PATIENTS, image_size=IMAGE_SIZE, style=synthetic.CLINIC_A
            ),
        ),
        made_once(
            outside / "skin",
            lambda: synthetic.write_skin(
                outside, LESION_PATIENTS, seed=1, image_size=IMAGE_SIZE, style=synthetic.CLINIC_B
            ),
        ),
    )


PAIRS: Mapping[str, Callable[[pathlib.Path], tuple[pathlib.Path, pathlib.Path]]] = {
    "chest": _chest,
    "chest-mimic": _chest_mimic,
    "pathology": _pathology,
    "camelyon16-17": _slides,
    "own": _own,
    "skin": _skin,
}

# Made-up data of a further set, by its source.
FURTHER: Mapping[str, Callable[[pathlib.Path], pathlib.Path]] = {"mimic_cxr": _mimic_cxr}
