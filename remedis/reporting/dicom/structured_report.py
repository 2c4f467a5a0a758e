"""The scores of a study's images as a DICOM Structured Report, by template TID 1500.

Each image and label is a measurement group (TID 1501): the label as the finding, the probability as
a measurement without unit in [0, 1], Yes or No per threshold, the image as its source, and the
model with its provenance as the algorithm (TID 4019). Concepts are the standard's where it has
them. Labels and thresholds have none: their codes are of the private scheme 99REMEDIS, and the
meaning is the label itself.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from remedis.data.readers.dicom_origin import Origin
from remedis.reporting.dicom import research_marks
from remedis.reporting.dicom.research_marks import (
    MANUFACTURER,
    ReportedModel,
    highdicom,
    long_string,
)
from remedis.reporting.dicom.score_provenance import TARGET, YOUDEN
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.visible_text import visible

SCHEME = "99REMEDIS"
SERIES_NUMBER = 9901  # far from those of an examination
_REACHES = {
    YOUDEN: ("youden", "Reaches the threshold of Youden's index"),
    TARGET: ("sensitivity", "Reaches the threshold of the target sensitivity"),
}


@dataclasses.dataclass(frozen=True)
class Score:
    """What a model says of one label of an image.

    Attributes:
      label: its name.
      probability: in [0, 1].
      reaches: kind of threshold -> whether the probability reaches it; absent without one.
      provenance: sentences of `score_provenance`.
    """

    label: str
    probability: float
    reaches: Mapping[str, bool]
    provenance: Sequence[str]


@dataclasses.dataclass(frozen=True)
class ScoredImage:
    """An image and its scores.

    Attributes:
      origin: of the image.
      frame: its number from 1, in a file of several; None in a file of one.
      scores: one per label.
    """

    origin: Origin
    frame: int | None
    scores: Sequence[Score]


def build(images: Sequence[ScoredImage], model: ReportedModel) -> Any:
    """Returns the report, a `pydicom.Dataset` that is ready to be saved.

    It is complete, preliminary and unverified: nobody has judged its content.

    Args:
      images: of one study, at least one.
      model: that scored them.

    Raises:
      UserError: highdicom is not installed.
    """
    hd, sr = highdicom(), highdicom("highdicom.sr")
    codes = highdicom("pydicom.sr.codedict").codes
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID(),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=visible(model.name),
            serial_number=model.sha256,
        ),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[
            _group(image, score, model) for image in images for score in image.scores
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    origins = {image.origin.instance: image.origin for image in images}
    report = sr.ComprehensiveSR(
        evidence=[_evidence(origin) for origin in origins.values()],
        content=content,
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        instance_number=1,
        is_complete=True,
        series_description=model.series("probabilities"),
        coding_schemes=[
            highdicom("highdicom.coding_schemes").CodingSchemeIdentificationItem(
                SCHEME, name="Labels and thresholds of models, by their names"
            )
        ],
        **research_marks.shared_arguments(model),
    )
    research_marks.keep_patient_and_study(report, images[0].origin)
    return report


def _group(image: ScoredImage, score: Score, model: ReportedModel) -> Any:
    hd, sr = highdicom(), highdicom("highdicom.sr")
    codes = highdicom("pydicom.sr.codedict").codes
    marks = [RESEARCH_USE, *([f"{RANDOM_WEIGHTS}."] if model.random_weights else [])]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=hd.UID(), identifier=visible(score.label)),
        finding_type=_of_label(score.label),
        algorithm_id=sr.AlgorithmIdentification(
            name=visible(model.name),
            version=model.sha256,
            parameters=[visible(text) for text in (*marks, *score.provenance)],
            family=codes.DCM.ArtificialIntelligence,
        ),
        measurements=[sr.Measurement(codes.DCM.Probability, score.probability, codes.UCUM.NoUnits)],
        qualitative_evaluations=[
            sr.QualitativeEvaluation(
                sr.CodedConcept(_REACHES[kind][0], SCHEME, _REACHES[kind][1]),
                codes.SCT.Yes if reached else codes.SCT.No,
            )
            for kind, reached in score.reaches.items()
        ],
        source_images=[
            sr.SourceImageForMeasurementGroup(
                image.origin.sop_class,
                image.origin.instance,
                None if image.frame is None else [image.frame],
            )
        ],
    )


def _of_label(label: str) -> Any:
    """Returns the code of a label: of 16 characters at most, the same for the same name."""
    value = hashlib.sha256(label.encode()).hexdigest()[:12]
    return highdicom("highdicom.sr").CodedConcept(value, SCHEME, long_string(label))


def _evidence(origin: Origin) -> Any:
    """Returns what highdicom reads of an image; its patient and study are copied afterwards."""
    evidence = highdicom("pydicom").Dataset()
    evidence.SOPClassUID = origin.sop_class
    evidence.SOPInstanceUID = origin.instance
    evidence.SeriesInstanceUID = origin.series
    evidence.StudyInstanceUID = origin.study
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "ReferringPhysicianName",
    ):
        setattr(evidence, keyword, "")
    return evidence
