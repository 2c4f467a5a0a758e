"""Made-up files in the places that documents name, so that their commands can be run as written."""

import pathlib
import re
from collections.abc import Callable

import document_commands
import numpy as np
import pandas as pd
from hospital_export import write_export
from PIL import Image

from remedis import synthetic
from remedis.models.architectures import Architecture
from remedis.synthetic import cohort

SIZE = 48  # pixels of radiographs
TINY = "1-1-1-1x0.5"  # the architecture in place of 50x1 and others
LABEL = "pneumonia"
_PATIENTS = 60


def make(text: str, world: pathlib.Path) -> None:
    """Makes every file and folder that a text names, unless it is there.

    Args:
      text: of a document; `/data` in it stands for `data` in the world.
      world: the working directory of the commands.
    """
    for place, make_place in PLACES.items():
        path = world / place.lstrip("/").replace("DIR", document_commands.EXAMPLES["DIR"])
        named = re.search(rf"(?<![\w/.-]){re.escape(place)}(?![\w-])", text)
        made_by_text = re.search(rf"--workdir={re.escape(place)}(?![\w-])", text)
        if named and not made_by_text and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            make_place(path)


def hospital(
    number: int, label: str = LABEL, labelled: bool = True
) -> Callable[[pathlib.Path], object]:
    """Returns a function that writes a folder of radiographs of one hospital.

    Args:
      number: of the hospital; hospitals share no patient.
      label: of its `manifest.csv`.
      labelled: whether it has one.
    """

    def write(folder: pathlib.Path) -> None:
        folder.mkdir()
        style = (synthetic.HOSPITAL_A, synthetic.HOSPITAL_B)[number % 2]
        rows = []
        for patient in cohort.patients(number, 7, _PATIENTS, style):
            study = patient.studies[0]
            name = f"{patient.number:04d}.png"
            pixels = patient.draw(study, 1, "PA", style, (SIZE, SIZE))
            Image.fromarray(pixels).save(folder / name)
            split = ("train", "train", "validation", "test")[patient.number % 4]
            ill = int(patient.number // 4 % 2)
            rows.append((name, f"{number}-{patient.number:04d}", split, ill))
        if labelled:
            columns = ["path", "patient_id", "split", label]
            pd.DataFrame(rows, columns=columns).to_csv(folder / "manifest.csv", index=False)

    return write


def _checkpoint(folder: pathlib.Path) -> None:
    from remedis.preprocess import parse
    from remedis.zoo import random_weights, save_backbone
    from remedis.zoo.checkpoint import build_backbone

    weights = random_weights.draw(0, Architecture.parse(TINY))
    save_backbone.save(
        build_backbone(weights),
        name=folder.name,
        provenance=weights.provenance,
        directory=folder,
        preprocess=parse("resize(64)", deterministic=True),  # that of a built folder is resize(448)
    )


def _bit(file: pathlib.Path) -> None:
    import bit_weights

    architecture = Architecture.parse(TINY)
    arrays = bit_weights.weights(architecture) | bit_weights.head(architecture)
    bit_weights.save_npz(file, arrays)


def _densenet(file: pathlib.Path) -> None:
    import keras

    keras.applications.DenseNet121(weights=None, classes=2).save(file)


def _release(folder: pathlib.Path) -> None:
    import bit_weights
    import release_stand_in

    arrays = bit_weights.weights(Architecture.parse(TINY), final_norm=False)
    release_stand_in.write(folder, arrays, maps_range=False)


def _export(file: pathlib.Path) -> None:
    table = write_export(file.parent, patients=_PATIENTS, image_size=SIZE)
    table.write_bytes(table.read_bytes().replace(b"Erguss", LABEL.encode()))


def _run(directory: pathlib.Path) -> None:
    """Trains a run on the images of a hospital, the head alone."""
    from configs import own_data
    from remedis.finetuning.finetune import finetune
    from remedis.reporting import run_report

    data = directory.parent / f"{directory.name}-data"
    hospital(1)(data)
    config = own_data.get_config("head_only")
    config.update(data_dir=str(data), labels=(LABEL,), image_size=32, resamples=40)
    config.checkpoint = f"scratch:{TINY}"
    finetune(config, directory)
    run_report.report(directory)


def _radiograph(file: pathlib.Path) -> None:
    [patient] = cohort.patients(99, 7, 1, synthetic.HOSPITAL_A)
    size = (4 * SIZE, 4 * SIZE)
    pixels = patient.draw(patient.studies[0], 1, "PA", synthetic.HOSPITAL_A, size)
    Image.fromarray(pixels).save(file)


def _dicom(folder: pathlib.Path) -> None:
    import dicom_helpers

    rng = np.random.default_rng(0)
    for number in range(24):
        pixels = rng.integers(0, 4000, (SIZE, SIZE), dtype=np.uint16)
        study = folder / f"patient{number}"
        study.mkdir(parents=True)
        written = dicom_helpers.dataset(pixels, number=number + 1, PatientID=f"p{number}")
        dicom_helpers.write(study / "1.dcm", written)


def _published(write: Callable[..., pathlib.Path], **options: object) -> Callable[..., None]:
    """Returns a function that writes a layout, whose folder may have another name, to a path."""

    def write_to(path: pathlib.Path) -> None:
        made = write(path.parent / f"{path.name}.making", **options)
        made.rename(path)
        if made != path and made.parent != path.parent:
            made.parent.rmdir()

    return write_to


def slides(seed: int) -> Callable[[pathlib.Path], None]:
    """Returns a function that writes a folder of slides with the table of their patients."""

    def write(folder: pathlib.Path) -> None:
        _published(synthetic.write_camelyon16, slides=4, test_slides=2, seed=seed)(folder)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.tif"))
        rows = {"slide": names, "patient_id": [f"p{i}" for i in range(len(names))]}
        pd.DataFrame(rows).to_csv(folder / "slides.csv", index=False)

    return write


_RADIOGRAPHS = {"image_size": SIZE}


def _boxes(file: pathlib.Path) -> None:
    """Lists a box for every third image of the hospital beside it."""
    names = sorted(image.name for image in file.parent.glob("*.png"))[::3]
    rows = "".join(f"{name},{LABEL},8,8,16,16\n" for name in names)
    file.write_text(f"path,label,x,y,width,height\n{rows}")


def _published_scores(file: pathlib.Path) -> None:
    """Writes scores of the images of the hospital in `/data/other_site`, with or without truth."""
    rng = np.random.default_rng(len(file.name))
    numbers = [patient.number for patient in cohort.patients(3, 7, _PATIENTS, synthetic.HOSPITAL_B)]
    ill = np.array([number // 4 % 2 for number in numbers])
    score = 1 / (1 + np.exp(1 - 2 * ill - rng.normal(size=len(ill))))
    names = [f"{number:04d}" for number in numbers]
    if file.stem == "resnet":
        table = pd.DataFrame({"image": names, "score": score})
    else:
        table = pd.DataFrame(
            {
                "Filename": [f"{name}.png" for name in names],
                "Patient ID": [f"3-{name}" for name in names],
                "pneumonia_prob": score,
                "label": ill,
            }
        )
    table.to_csv(file, index=False)


PLACES: dict[str, Callable[[pathlib.Path], object]] = {
    "/data/CheXpert-v1.0-small": _published(synthetic.write_chexpert, **_RADIOGRAPHS),
    "/data/ChestX-ray14": _published(synthetic.write_chestxray14, **_RADIOGRAPHS),
    "/data/mimic-cxr-jpg-2.0.0": _published(synthetic.write_mimic_cxr, **_RADIOGRAPHS),
    "/data/OpenI": _published(synthetic.write_openi, **_RADIOGRAPHS),
    "/data/vindr-cxr": _published(synthetic.write_vindr_cxr, **_RADIOGRAPHS),
    "/data/PadChest": _published(synthetic.write_padchest, **_RADIOGRAPHS),
    "/data/pcam": _published(synthetic.write_patch_camelyon),
    "/data/rsna-pneumonia-detection-challenge": _published(
        synthetic.write_rsna_pneumonia, image_size=SIZE
    ),
    "/data/siim": _published(synthetic.write_siim_pneumothorax, image_size=SIZE),
    "/data/medmnist": _published(synthetic.write_medmnist),
    "/data/histopathologic-cancer-detection": _published(synthetic.write_pcam_kaggle),
    "/data/camelyon_patches": _published(synthetic.write_camelyon_patches),
    "/data/CAMELYON16": _published(synthetic.write_camelyon16),
    "/data/CAMELYON17": _published(synthetic.write_camelyon17),
    "/data/camelyon17_v1.0": _published(
        synthetic.write_wilds_camelyon17, slides_per_centre=16, patches_per_slide=6
    ),
    "/data/slides": slides(0),
    "/data/tcga": slides(1),
    "/data/skin": _published(synthetic.write_skin, **_RADIOGRAPHS),
    "/data/skin_there": _published(synthetic.write_skin, seed=1, **_RADIOGRAPHS),
    "/data/skin_here": _published(
        synthetic.write_skin, seed=2, style=synthetic.CLINIC_B, **_RADIOGRAPHS
    ),
    "/data/fundus": _published(synthetic.write_fundus, **_RADIOGRAPHS),
    "/data/mammography": _published(synthetic.write_mammograms, **_RADIOGRAPHS),
    "/data/mine": hospital(1),
    "/data/mine/boxes.csv": _boxes,
    "/data/theirs": hospital(2),
    "/data/other_site": hospital(3),
    "/data/few_of_other_site": hospital(4),
    "/data/labelled": hospital(5),
    "/data/unlabelled": hospital(6, labelled=False),
    "/data/dicom": _dicom,
    "/data/release/cxr-50x1-remedis-m": _release,
    "kermany": hospital(7),
    "nih64": _published(synthetic.write_chestxray14, **_RADIOGRAPHS),
    "DIR/data/id": hospital(8, "abnormal"),
    "DIR/data/ood": hospital(9, "abnormal"),
    "saved_models/cxr-50x1-remedis-m": _checkpoint,
    "saved_models/path-50x1-remedis-m": _checkpoint,
    "BiT-M-R50x1.npz": _bit,
    "densenet121_weights_tf_dim_ordering_tf_kernels.h5": _densenet,
    "export.csv": _export,
    "densenet.csv": _published_scores,
    "resnet.csv": _published_scores,
    "radiograph.png": _radiograph,
    "runs/mine": _run,
    "runs/mine-head": _run,
}
