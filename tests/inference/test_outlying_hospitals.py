"""Outlier scores of made-up hospitals: another one is told apart, other patients are not."""

import pytest
from PIL import Image

import remedis
from remedis import synthetic
from remedis.synthetic import cohort

PATIENTS, SIZE = 40, 48


@pytest.mark.guarantee
def test_another_hospital_is_told_apart_and_other_patients_of_the_same_are_not(tmp_path):
    """A network with random weights is enough: the hospitals differ in exposure and sharpness."""

    def embedded(name, number, style):
        rows = ["path,patient_id,ill"]
        (tmp_path / name).mkdir()
        for patient in cohort.patients(number, 7, PATIENTS, style):
            pixels = patient.draw(patient.studies[0], 1, "PA", style, (SIZE, SIZE))
            Image.fromarray(pixels).save(tmp_path / name / f"{patient.number}.png")
            rows.append(f"{patient.number}.png,{number}-{patient.number},1")
        (tmp_path / name / "manifest.csv").write_text("\n".join(rows) + "\n")
        file = tmp_path / f"{name}.npz"
        remedis.embed(
            "scratch:1-1-1-1x0.5",
            tmp_path / name,
            labels=["ill"],
            preprocess="resize(32)",
            store=tmp_path / "store",
            out=file,
        )
        return file

    reference = embedded("a", 1, synthetic.HOSPITAL_A)
    others = embedded("others", 3, synthetic.HOSPITAL_A)
    elsewhere = embedded("elsewhere", 2, synthetic.HOSPITAL_B)
    same = remedis.find_outliers(reference, others).auroc
    assert same.low < 0.5 < same.high
    far = remedis.find_outliers(reference, elsewhere).auroc
    assert far.low > 0.7
    assert (far.patients, far.positives) == (2 * PATIENTS, PATIENTS)
