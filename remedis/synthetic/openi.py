"""Made-up radiographs in the layout of OpenI, the collection of Indiana University.

The elements of the XML files, the columns of Kaggle's tables and the form of the codes are those of
the published collection: Demner-Fushman et al., 2016, https://doi.org/10.1093/jamia/ocv080.
"""

import os
import pathlib

import pandas as pd
from PIL import Image

from remedis import files
from remedis.errors import check_at_least, unknown_choice
from remedis.synthetic import cohort
from remedis.synthetic.chest import HOSPITAL_A, HospitalStyle
from remedis.synthetic.notice import write_notice

NAME = "OpenI"
EDITIONS = ("xml", "kaggle")
_COHORT = 41
# The codes that the collection has for the findings drawn here.
_CODES = {
    "Atelectasis": "Pulmonary Atelectasis/base/left",
    "Cardiomegaly": "Cardiomegaly/mild",
    "Consolidation": "Consolidation/lung/upper lobe/right",
    "Edema": "Pulmonary Edema/interstitial",
    "Pleural Effusion": "Pleural Effusion/left/small",
    "Lung Lesion": "Nodule/lung/upper lobe/left",
    "Support Devices": "Catheters, Indwelling/right",
}
_REPORT = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
   <uId id="CXR{uid}"/>
   <MedlineCitation><Article><Abstract>
      <AbstractText Label="FINDINGS">The report of a drawing.</AbstractText>
      <AbstractText Label="IMPRESSION">XXXX</AbstractText>
   </Abstract></Article></MedlineCitation>
   <MeSH>
{codes}
   </MeSH>
{images}
</eCitation>
"""


def write_openi(
    directory: str | os.PathLike[str],
    patients: int = 120,
    seed: int = 0,
    image_size: int = 128,
    style: HospitalStyle = HOSPITAL_A,
    edition: str = "xml",
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/OpenI`, completely or not at all.

    A few reports have the code `No Indexing`, as in the published collection. Patient `n` of a
    seed does not depend on the number of patients.

    Args:
      directory: the folder to write into.
      patients: the number of patients, with one report each, of one or two images.
      seed: the same seed gives the same bytes.
      image_size: side of the images in pixels.
      style: the hospital.
      edition: `xml` for one XML file per report, `kaggle` for Kaggle's two tables.
      overwrite: replace an existing folder.

    Returns:
      The path of the `OpenI` folder.

    Raises:
      UserError: there are no patients, the images are smaller than 32 pixels, the edition is
        unknown, or the folder exists.
    """
    check_at_least("patients", patients, 1)
    check_at_least("image_size", image_size, 32)
    if edition not in EDITIONS:
        raise unknown_choice("edition", edition, EDITIONS)
    final = pathlib.Path(directory) / NAME
    with files.whole_directory(final, overwrite) as root:
        reports: list[dict[str, object]] = []
        projections: list[dict[str, object]] = []
        pictures = "images/images_normalized" if edition == "kaggle" else "NLMCXR_png"
        (root / pictures).mkdir(parents=True)
        for patient in cohort.patients(seed, _COHORT, patients, style, most_studies=1):
            (study,) = patient.studies
            codes = [_CODES[name] for name in study.findings] or ["normal"]
            if patient.number % 23 == 22:
                codes = ["No Indexing"]
            reports.append(
                {
                    "uid": patient.number,
                    "MeSH": ";".join(codes),
                    "Problems": ";".join(code.split("/")[0] for code in codes),
                    **dict.fromkeys(("image", "indication", "comparison"), ""),
                    "findings": "The report of a drawing.",
                    "impression": "XXXX",
                }
            )
            frontal = cohort.frontal_view(study, style)
            views = [frontal] if frontal == "AP" else [frontal, "Lateral"]
            for image, view in enumerate(views, start=1):
                name = f"{patient.number}_IM-{patient.number:04d}-{image}001"
                name = f"{name}.dcm.png" if edition == "kaggle" else f"CXR{name}.png"
                pixels = patient.draw(study, image, view, style, (image_size, image_size))
                Image.fromarray(pixels).save(root / pictures / name)
                side = "Lateral" if view == "Lateral" else "Frontal"
                projections.append({"uid": patient.number, "filename": name, "projection": side})
        if edition == "kaggle":
            pd.DataFrame(reports).to_csv(root / "indiana_reports.csv", index=False)
            pd.DataFrame(projections).to_csv(root / "indiana_projections.csv", index=False)
        else:
            _write_xml(root / "ecgen-radiology", reports, projections)
        write_notice(root, NAME, seed, style.name)
    return final


def _write_xml(
    folder: pathlib.Path, reports: list[dict[str, object]], projections: list[dict[str, object]]
) -> None:
    """Writes one XML file per report."""
    folder.mkdir()
    for report in reports:
        uid = report["uid"]
        codes = [f"      <major>{code}</major>" for code in str(report["MeSH"]).split(";")]
        names = [str(row["filename"]) for row in projections if row["uid"] == uid]
        images = [f'   <parentImage id="{name.removesuffix(".png")}"/>' for name in names]
        text = _REPORT.format(uid=uid, codes="\n".join(codes), images="\n".join(images))
        (folder / f"{uid}.xml").write_text(text, encoding="utf-8")
