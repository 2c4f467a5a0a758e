"""The command `report`: DICOM files in, DICOM files of the same studies out."""

import dataclasses
import json
import pathlib

import dicom_helpers
import numpy as np
import pandas as pd
import pydicom
import pytest

import remedis
from remedis.cli import main
from remedis.errors import UserError
from remedis.inference import exported

pytestmark = pytest.mark.guarantee  # TensorFlow's graphs of a classifier take seconds
SERIES = "1.2.3.4"


@pytest.fixture(scope="module")
def loaded(small_export) -> exported.ExportedClassifier:
    return exported.load(small_export)


@pytest.fixture(autouse=True)
def loaded_once(loaded, monkeypatch):
    """Loading takes most of the time of a report."""
    monkeypatch.setattr(exported, "load", lambda path: loaded)


def write(path: pathlib.Path, number: int, study: str = "1.2.7", frames: int = 1, **attributes):
    """Writes an image of one patient."""
    shape = (frames, 30, 40) if frames > 1 else (30, 40)
    pixels = np.random.default_rng(number).integers(0, 255, shape, np.uint8)
    several = {"NumberOfFrames": frames} if frames > 1 else {}
    of = dicom_helpers.dataset(pixels, number=number, **several)
    given = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": SERIES,
        "PatientID": "P1",
        **attributes,
    }
    for name, value in given.items():
        setattr(of, name, value)
    return dicom_helpers.write(path, of)


def test_a_study_becomes_one_report_and_one_series_of_heat_maps(small_export, tmp_path, capsys):
    """Two images of one study, one of them with two frames; another study; and what is bad."""
    data = tmp_path / "data"
    write(data / "a.dcm", 1)
    write(data / "b.dcm", 2, frames=2)
    write(data / "c.dcm", 3, study="1.2.8", PatientID="P2")
    write(data / "headless.dcm", 4, study="")
    for number, patient in ((5, "P5"), (6, "P6")):
        write(data / f"{patient}.dcm", number, study="1.2.9", PatientID=patient)
    broken = pathlib.Path(write(data / "broken.dcm", 7))
    broken.write_bytes(broken.read_bytes()[:-50])
    out = tmp_path / "out"
    assert main(["report", str(small_export), str(data), f"--out={out}"]) == 3
    said = capsys.readouterr()
    assert "2 structured reports, 8 heat maps" in said.out + said.err
    assert "RANDOM WEIGHTS" in said.out
    assert dicom_helpers.MARKER not in said.out + said.err
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == [
        "reports.csv",
        "reports.json",
        *(f"study_0001/heat_map_{i:04d}.dcm" for i in range(1, 7)),
        "study_0001/report.dcm",
        *(f"study_0002/heat_map_{i:04d}.dcm" for i in range(1, 3)),
        "study_0002/report.dcm",
    ]
    bad = pd.read_csv(f"{out}.bad_images.csv").set_index("path")["fault"]
    assert "no valid StudyInstanceUID" in bad["headless.dcm"]
    assert "name several patients" in bad["P5.dcm"]
    assert "name several patients" in bad["P6.dcm"]
    assert "broken.dcm" in bad
    assert len(bad) == 4

    table = pd.read_csv(out / "reports.csv")
    assert table["path"].tolist() == [
        name for name in ("a.dcm", "b.dcm#1", "b.dcm#2", "c.dcm") for _ in range(2)
    ]
    report = pydicom.dcmread(out / "study_0001" / "report.dcm")
    assert report.PatientID == "P1"
    assert numbers(report) == pytest.approx(table["probability"][:6].tolist(), rel=1e-5)
    maps = [pydicom.dcmread(out / name) for name in table["heat_map"]]
    assert len({of.SeriesInstanceUID for of in maps[:6]}) == 1
    assert len({of.SOPInstanceUID for of in maps}) == 8
    assert [of.InstanceNumber for of in maps] == [1, 2, 3, 4, 5, 6, 1, 2]
    assert [of.SourceImageSequence[0].get("ReferencedFrameNumber") for of in maps[:6]] == [
        None, None, 1, 1, 2, 2,
    ]  # fmt: skip
    assert maps[0].pixel_array.max() > 100

    # The probabilities and decisions are those of the same model by another way.
    scored = remedis.predict(small_export, data / "a.dcm").table.iloc[0]
    assert table["probability"][0] == pytest.approx(scored["score/ill"], rel=1e-6)
    assert table["decision/youden"][0] == scored["decision/youden/ill"]
    assert np.isnan(table["decision/youden"][1])  # of a label without a threshold
    record = json.loads((out / "reports.json").read_text())
    assert record["heat_maps"] == {"method": "cam", "endpoint": "head"}
    assert len(record["model_sha256"]) == 64


def numbers(content) -> list[float]:
    """Returns the measured values of a content tree, in order."""
    found = []
    for item in content.get("ContentSequence", ()):
        if item.ValueType == "NUM":
            found.append(float(item.MeasuredValueSequence[0].NumericValue))
        found += numbers(item)
    return found


def test_without_heat_maps_a_model_needs_no_way_back_to_the_image(small_export, loaded, tmp_path):
    frozen = dataclasses.replace(
        loaded, description=dataclasses.replace(loaded.description, preprocess="equalize()")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exported, "load", lambda path: frozen)
        file = write(tmp_path / "a.dcm", 1)
        done = remedis.report(
            small_export, file, tmp_path / "out", labels=["well"], heat_maps=False
        )
    assert done.table["label"].tolist() == ["well"]
    assert "heat_map" not in done.table
    assert repr(done).startswith("<Reported: 1 structured report in ")
    assert numbers(pydicom.dcmread(done.folder / "study_0001" / "report.dcm")) == pytest.approx(
        done.table["probability"], rel=1e-5
    )


def test_wrong_input_is_refused_in_a_sentence(small_export, tmp_path):
    out = tmp_path / "out"
    file = write(tmp_path / "a.dcm", 1)
    with pytest.raises(UserError, match=r"Unknown label .*'healthy'"):
        remedis.report(small_export, file, out, labels=["healthy"])
    with pytest.raises(UserError, match="Unknown method 'came'"):
        remedis.report(small_export, file, out, method="came")
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"not hold DICOM images: .*; it has a\.png"):
        remedis.report(small_export, picture, out)
    with pytest.raises(UserError, match=r"None of the 1 image can be reported: a\.dcm \(.*Study"):
        remedis.report(small_export, write(tmp_path / "a.dcm", 1, study=""), out)
    # A header that the standard's own tables do not know, with nothing of it in the sentence.
    unknown = write(tmp_path / "u.dcm", 1, SOPClassUID="1.2.3.99", StudyInstanceUID="1.2.77")
    with pytest.raises(UserError, match=r"of u\.dcm can be made .*; leave its study out") as raised:
        remedis.report(small_export, unknown, out)
    assert "1.2.3.99" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    assert not out.exists()
