"""Structured reports and captures of heat maps: what a reader of DICOM finds in them."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

import dicom_helpers
import numpy as np
import pydicom
import pytest
from dicom_helpers import MARKER

from remedis.data.readers import Unreadable, dicom_image, dicom_origin
from remedis.reporting.dicom import heat_map_capture, score_provenance, structured_report
from remedis.reporting.dicom.heat_map_capture import Capture
from remedis.reporting.dicom.research_marks import ReportedModel
from remedis.reporting.dicom.structured_report import Score, ScoredImage

MODEL = ReportedModel("chest\\model", "0123456789abcdef" * 4, random_weights=True)
PIXELS = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32) % 200
KEPT = {
    "PatientName": "Müller^Jörg=小笠原^花子",
    "PatientID": "0012 a/ß",
    "IssuerOfPatientID": "CLINIC",
    "PatientBirthDate": "19500203",
    "PatientSex": "W",  # not of the standard, and in archives
    "StudyInstanceUID": "1.2.840.00113.7",  # with a leading zero, which archives have, too
    "StudyID": "17",
    "StudyDate": "20210304",
    "StudyTime": "081530.25",
    "AccessionNumber": "ACC-9",
    "ReferringPhysicianName": "Weiß^Ada",
    "StudyDescription": "Thorax p.a.",
    "PatientIdentityRemoved": "NO",
}


def source(folder: pathlib.Path, number: int = 1, **attributes) -> dicom_origin.Origin:
    """Returns the origin of a made-up image."""
    of = dicom_helpers.dataset(PIXELS, number=number, SeriesInstanceUID="1.2.3.4")
    for name, value in {"SpecificCharacterSet": "ISO_IR 192", **KEPT, **attributes}.items():
        setattr(of, name, value)
    return dicom_origin.read(dicom_helpers.write(folder / f"{number}.dcm", of))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(scope="module")
def origin(folder):
    return source(folder)


@pytest.fixture(scope="module")
def report(folder, origin):
    """A report of two images, one with two labels, written and read back."""
    long = "consolidation of the whole lung, " * 3
    images = [
        ScoredImage(
            origin,
            None,
            [
                Score(
                    "肺炎\\1", 0.123456789, {"youden": True, "target_sensitivity": False}, ["A."]
                ),
                Score(long, 1.0, {}, ["\x1b[2J"]),
            ],
        ),
        ScoredImage(source(folder, 2), 3, [Score("肺炎\\1", 1e-12, {}, [])]),
    ]
    path = folder / "report.dcm"
    structured_report.build(images, MODEL).save_as(path, enforce_file_format=True)
    return pydicom.dcmread(path)


@pytest.fixture(scope="module")
def capture(folder, origin):
    path = folder / "capture.dcm"
    heat_map_capture.build(a_capture(origin), MODEL, "1.2.3.5", 4).save_as(
        path, enforce_file_format=True
    )
    return path


def a_capture(origin, **changes) -> Capture:
    picture = np.full((40, 30, 3), (10, 200, 30), np.uint8)
    made = Capture(origin, None, picture, ("For research.", "x" * 200), "By cam.")
    return dataclasses.replace(made, **changes)


def items(content, kind):
    """Returns the items of a value type at any depth as (name, item)."""
    found = []
    for item in content.ContentSequence:
        if item.ValueType == kind:
            found.append((item.ConceptNameCodeSequence[0].CodeMeaning, item))
        if "ContentSequence" in item:
            found += items(item, kind)
    return found


def test_patient_and_study_are_those_of_the_image(report, capture):
    for made in (report, pydicom.dcmread(capture)):
        assert {name: str(made[name].value) for name in KEPT} == KEPT
        assert MARKER not in str(made)  # comments and other attributes are not copied
        assert made.SeriesInstanceUID != "1.2.3.4"


def test_what_the_image_lacks_is_empty_or_absent(folder):
    bare = source(folder, 3, **{**dict.fromkeys(KEPT), "StudyInstanceUID": "1.2.9"})
    made = structured_report.build([ScoredImage(bare, None, [Score("a", 0.5, {}, [])])], MODEL)
    assert made.PatientID == ""
    assert made.StudyDate is None or made.StudyDate == ""
    assert "StudyDescription" not in made
    assert "IssuerOfPatientID" not in made
    assert "PatientIdentityRemoved" not in made


def test_the_probabilities_are_measurements_of_their_images(report):
    (template,) = report.ContentTemplateSequence
    assert template.TemplateIdentifier == "1500"
    numbers = items(report, "NUM")
    assert [name for name, _ in numbers] == ["Probability"] * 3
    measured = [item.MeasuredValueSequence[0] for _, item in numbers]
    assert [float(of.NumericValue) for of in measured] == pytest.approx([0.123456789, 1, 1e-12])
    assert {of.MeasurementUnitsCodeSequence[0].CodeValue for of in measured} == {"1"}
    images = [item.ReferencedSOPSequence[0] for _, item in items(report, "IMAGE")]
    assert [of.ReferencedSOPInstanceUID[-2:] for of in images] == [".1", ".1", ".2"]
    assert [of.get("ReferencedFrameNumber") for of in images] == [None, None, 3]
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert len(evidence.ReferencedSOPSequence) == 2
    codes = [
        item.ConceptCodeSequence[0] for name, item in items(report, "CODE") if name == "Finding"
    ]
    assert [of.CodeMeaning for of in codes][::2] == ["肺炎/1"] * 2
    assert len(codes[1].CodeMeaning) == 64
    assert codes[0].CodeValue == codes[2].CodeValue != codes[1].CodeValue
    answers = {name: item for name, item in items(report, "CODE") if name.startswith("Reaches")}
    assert [of.ConceptCodeSequence[0].CodeMeaning for of in answers.values()] == ["Yes", "No"]


def test_everything_is_marked_as_for_research_and_random(report, capture):
    shown = pydicom.dcmread(capture)
    for made in (report, shown):
        assert made.SeriesDescription.startswith("RESEARCH ONLY, RANDOM WEIGHTS: ")
        assert made.ContentQualification == "RESEARCH"
        assert made.DeviceSerialNumber == MODEL.sha256
        assert made.ManufacturerModelName == "chest/model"
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    texts = [item.TextValue for name, item in items(report, "TEXT") if "Parameters" in name]
    assert texts.count("Research software, not a diagnostic device.") == 3
    assert sum(text.startswith("RANDOM WEIGHTS") for text in texts) == 3
    assert "A." in texts
    assert r"\x1b[2J" in texts
    trained = dataclasses.replace(MODEL, random_weights=False)
    assert trained.series("x") == "RESEARCH USE ONLY: x"


def test_the_project_reads_the_captured_picture_below_its_caption(capture):
    pixels = dicom_image.read_pixels(str(capture), "")
    assert pixels.shape[1:] == (480, 3)
    np.testing.assert_allclose(pixels[-40:, :30], np.tile([10, 200, 30], (40, 30, 1)) / 255)
    assert pixels[-40:, 30:].max() == 0
    caption = pixels[:-40]
    assert caption.max() > 0.9
    assert caption[:, -5:].max() == 0  # long words break within the picture


def test_a_capture_names_its_source_and_keeps_what_is_true_of_its_pixels(folder):
    of = source(
        folder, 5, PatientOrientation=["L", "F"], BurnedInAnnotation="NO", ImageLaterality="R",
        LossyImageCompression="01", LossyImageCompressionRatio=[10.5],
    )  # fmt: skip
    made = heat_map_capture.build(a_capture(of, frame=2), MODEL, "1.2.3", 1)
    (named,) = made.SourceImageSequence
    assert named.ReferencedSOPInstanceUID == of.instance
    assert named.ReferencedFrameNumber == 2
    assert list(made.PatientOrientation) == ["L", "F"]
    assert made.BurnedInAnnotation == "NO"
    assert made.Laterality == "R"
    assert made.LossyImageCompression == "01"
    assert float(made.LossyImageCompressionRatio) == 10.5
    assert made.ImageType[0] == "DERIVED"
    assert "By cam." in made.DerivationDescription


def test_a_large_picture_shrinks_and_keeps_its_shape():
    tall = heat_map_capture.captioned(np.zeros((3000, 1500, 3), np.uint8), ("one line",))
    alone = heat_map_capture.captioned(np.zeros((3000, 1500, 3), np.uint8), ())
    assert alone.shape == (1024 + 12, 512, 3)
    assert tall.shape[0] > alone.shape[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"StudyInstanceUID": None}, "no valid StudyInstanceUID"),
        ({"SeriesInstanceUID": "1.2.x"}, "no valid SeriesInstanceUID"),
        ({"SOPInstanceUID": ""}, "no valid SOPInstanceUID"),
    ],
)
def test_images_without_an_identifier_are_refused(tmp_path, changes, message):
    with pytest.raises(Unreadable, match=message):
        source(tmp_path, **changes)


def test_text_that_the_character_set_does_not_describe_is_refused(tmp_path):
    """A copy would be another name: the archive would file the report under nobody."""
    source(tmp_path, PatientName="AAAA", IssuerOfPatientID=None)
    file = tmp_path / "1.dcm"
    file.write_bytes(file.read_bytes().replace(b"AAAA", b"A\xff\xfeA"))
    with pytest.raises(Unreadable, match=r"character set .* does not fit PatientName") as raised:
        dicom_origin.read(file)
    assert "AA" not in str(raised.value)


def test_latin_letters_without_a_character_set_are_kept(tmp_path):
    source(tmp_path, PatientName="AAAA", SpecificCharacterSet=None, **ascii_only())
    file = tmp_path / "1.dcm"
    file.write_bytes(file.read_bytes().replace(b"AAAA", b"M\xfcl "))
    assert dicom_origin.read(file).patient_and_study["PatientName"] == "Mül"


def ascii_only():
    return {
        name: None for name, value in KEPT.items() if not value.isascii() and name != "PatientName"
    }


def test_the_provenance_of_a_score_is_in_words():
    calibration = {
        "method": "platt", "scale": [1.0, 2.0], "offset": [0.0, 0.0],
        "fitted_on": {"cases": 40, "labels": {"ill": {"method": "platt", "cases": 40}}},
    }  # fmt: skip
    thresholds = {
        "youden": {"ill": 0.4321}, "target_sensitivity": {"ill": None}, "target": 0.9,
        "chosen_on": {"ill": {"data": "validation of A", "positives": 5, "negatives": 9}},
    }  # fmt: skip
    auroc = {"value": 0.8, "low": 0.7, "high": 0.9, "patients": 50, "positives": 20}
    performance = {"data": "the test split of B", "labels": {"ill": {"auroc": auroc}}}
    said = score_provenance.sentences("ill", 1, calibration, thresholds, performance)
    assert said == [
        "The probabilities are calibrated by Platt's method on 40 patients of the validation split "
        "of the model's own run.",
        "Thresholds were chosen on validation of A.",
        "Threshold of Youden's index: 0.4321.",
        "AUROC with 95 % interval on the test split of B: 0.800 [0.700, 0.900], 50 patients, 20 "
        "positive.",
    ]
    saturated = {
        "youden": {"ill": 0.999968}, "target_sensitivity": {"ill": 0.00001234567}, "target": 0.975
    }  # fmt: skip
    assert score_provenance.sentences("ill", 0, None, saturated, None)[-3:-1] == [
        "Threshold of Youden's index: 0.999968.",
        "Threshold of a sensitivity of 0.975: 1.234567e-05.",
    ]
    assert score_provenance.sentences("ill", 0, None, None, None) == [
        "The probabilities are not calibrated.",
        "The model has no thresholds.",
        "The performance of this model for this label was not measured when it was exported.",
    ]


def run(tool, *arguments):
    """Runs a tool of Debian's, if it is installed."""
    if not shutil.which(tool):
        pytest.skip(f"no {tool}; `make install-tools` installs it")
    return subprocess.run([tool, *arguments], capture_output=True, text=True)


@pytest.mark.guarantee
def test_a_validator_finds_no_error(folder):
    """Of dicom3tools: what the standard requires is there, with values that it allows."""
    valid = source(folder, 6, StudyInstanceUID="1.2.7", PatientSex="F")
    scores = [Score("a", 0.5, {"youden": True}, ["By validation."])]
    report = structured_report.build([ScoredImage(valid, None, scores)], MODEL)
    capture = heat_map_capture.build(a_capture(valid), MODEL, "1.2.3", 1)
    for name, kind, made in (("r", "ComprehensiveSR", report), ("c", "SCImage", capture)):
        path = folder / f"valid_{name}.dcm"
        made.save_as(path, enforce_file_format=True)
        said = run("dciodvfy", os.fspath(path)).stderr.splitlines()
        assert kind in said
        assert not [line for line in said if line.startswith("Error")]


@pytest.mark.guarantee
def test_dcmtk_reads_the_report(report, folder):
    """Another implementation of the standard finds the content tree to be valid."""
    done = run("dsrdump", "+Pl", "+U8", "+Pu", os.fspath(folder / "report.dcm"))
    assert done.returncode == 0
    assert "error" not in done.stderr.lower()
    assert done.stdout.count('"Probability"') == 3
    assert "Müller" in done.stdout
    for text in ("Reaches the threshold of Youden's index", "Research software", "RANDOM WEIGHTS"):
        assert text in done.stdout
