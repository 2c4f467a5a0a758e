"""Made-up radiographs in the layout of RSNA's pneumonia challenge of 2018.

Files and columns are those of Kaggle's edition and of RSNA's file of mappings: Shih et al., 2019,
Radiology: Artificial Intelligence 1(1):e180041.
"""

import json
import os
import pathlib
import uuid

import numpy as np
import pandas as pd

from remedis import files
from remedis.errors import check_at_least
from remedis.synthetic.dicom_film import write_film
from remedis.synthetic.drawing import generator
from remedis.synthetic.lesion_boxes import draw_film
from remedis.synthetic.notice import write_notice

NAME = "rsna-pneumonia-detection-challenge"
_COHORT = 33
_SIDE = 1024  # pixels that published boxes are in
_IMAGES_PER_PATIENT = 2
_CLASSES = ("Normal", "Lung Opacity", "No Lung Opacity / Not Normal", "Lung Opacity")


def write_rsna_pneumonia(
    directory: str | os.PathLike[str],
    patients: int = 40,
    seed: int = 0,
    image_size: int = 128,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/rsna-pneumonia-detection-challenge`, completely or not at all.

    The folder has the tables of labels and classes, RSNA's file of mappings to ChestX-ray14, and
    two DICOM files per patient. Half of the images have an opacity, whose box is in pixels of
    1024x1024, as the published ones. A patient of a seed does not depend on their number.

    Args:
      directory: the folder to write into.
      patients: their number.
      seed: the same seed gives the same bytes.
      image_size: height and width of the images in pixels (1024 in the published set).
      overwrite: replace an existing folder.

    Returns:
      The path of the folder.

    Raises:
      UserError: there are fewer than two patients, the images are smaller than 32 pixels, pydicom
        is not installed, or the folder exists.
    """
    check_at_least("patients", patients, 2)
    check_at_least("image_size", image_size, 32)
    check_at_least("seed", seed, 0)
    final = pathlib.Path(directory) / NAME
    labels, classes, mappings = [], [], []
    with files.whole_directory(final, overwrite) as root:
        for number in range(_IMAGES_PER_PATIENT * patients):
            patient, follow_up = divmod(number, _IMAGES_PER_PATIENT)
            kind = _CLASSES[(patient + follow_up) % len(_CLASSES)]
            rng = generator(seed, _COHORT, number)
            name = str(uuid.UUID(bytes=rng.bytes(16), version=4))
            film, box = draw_film(rng, kind == "Lung Opacity", image_size)
            write_film(
                root / "stage_2_train_images" / f"{name}.dcm",
                np.rint(255 * film).astype(np.uint8),
                number,
                PatientID=name,
                PatientSex="FM"[patient % 2],
                PatientAge=str(30 + patient % 50),
                ViewPosition=("PA", "AP")[follow_up],
            )
            # Of every image but those with an opacity, `box` is None.
            drawn = [f"{_SIDE / image_size * value:.1f}" for value in box] if box else [""] * 4
            labels.append([name, *drawn, int(box is not None)])
            classes.append([name, kind])
            nih = f"{1 + patient:08d}_{follow_up:03d}.png"
            mappings.append({"subset_img_id": name, "img_id": nih})
        columns = ["patientId", "x", "y", "width", "height", "Target"]
        pd.DataFrame(labels, columns=columns).to_csv(root / "stage_2_train_labels.csv", index=False)
        pd.DataFrame(classes, columns=["patientId", "class"]).to_csv(
            root / "stage_2_detailed_class_info.csv", index=False
        )
        file = root / "pneumonia-challenge-dataset-mappings_2018.json"
        file.write_text(json.dumps(mappings), encoding="utf-8")
        write_notice(root, NAME, seed, "opacities among distractors")
    return final
