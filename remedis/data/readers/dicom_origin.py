"""Patient, study and identifiers of a DICOM image, for objects that are made from it.

Of a header this much is kept and no more: what an archive files an object by, what says that a
header is de-identified, and what is true of the pixels of a derived image, too.
"""

import dataclasses
from collections.abc import Mapping, MutableSequence
from typing import Any

from remedis import files
from remedis.data.readers import dicom_header, dicom_image
from remedis.data.readers.dicom_header import quietly, text
from remedis.data.readers.unreadable import Unreadable

Value = str | list[str]

PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
STUDY = (
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
)
_STATE = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "LongitudinalTemporalInformationModified",
)
# A derived image has the side, the orientation, the losses and the burnt-in text of its source.
_PIXELS = (
    "BodyPartExamined",
    "Laterality",
    "ImageLaterality",
    "PatientOrientation",
    "BurnedInAnnotation",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_UNDECODABLE = "\ufffd"


@dataclasses.dataclass(frozen=True)
class Origin:
    """A DICOM image, as objects made from it name it. Its values must not be logged.

    Attributes:
      patient_and_study: keyword -> value, as the header has it; empty where it has none.
      pixels: keyword -> value of what holds for derived pixels, too; absent where it has none.
      sop_class: identifier of the kind of object.
      instance: identifier of the object.
      series: identifier of its series.
      frames: number of frames.
    """

    patient_and_study: Mapping[str, Value]
    pixels: Mapping[str, Value]
    sop_class: str
    instance: str
    series: str
    frames: int

    @property
    def study(self) -> str:
        """Identifier of the study."""
        return str(self.patient_and_study["StudyInstanceUID"])

    @property
    def patient(self) -> tuple[Value, ...]:
        """What two images of one patient share: id and date of birth, or name and date of birth.

        Spellings of a name vary within a study.
        """
        of = self.patient_and_study
        names = ("PatientID", "IssuerOfPatientID") if of["PatientID"] else ("PatientName",)
        return tuple(of[name] for name in (*names, "PatientBirthDate"))


def read(file: files.Path) -> Origin:
    """Returns the origin of what is made from a DICOM image.

    Raises:
      Unreadable: the file cannot be read, has no image, lacks an identifier that references need,
        or has text that its character set does not describe.
      UserError: pydicom is not installed.
    """
    kept = (*PATIENT, *STUDY, *_STATE)
    keywords = {*kept, *_PIXELS, *_IDENTIFIERS, *dicom_image.SIZE_KEYWORDS}
    header = dicom_header.read(file, [*keywords, *dicom_image.IMAGE_KEYWORDS])
    if not dicom_image.has_image(header):
        raise Unreadable("This DICOM file holds no image.")
    sop_class, instance, series, _ = (_identifier(header, name) for name in _IDENTIFIERS)
    present = {name: _value(header, name) for name in (*kept, *_PIXELS)}
    state = {name: present[name] for name in _STATE if present[name]}
    return Origin(
        patient_and_study={name: present[name] for name in (*PATIENT, *STUDY)} | state,
        pixels={name: present[name] for name in _PIXELS if present[name]},
        sop_class=sop_class,
        instance=instance,
        series=series,
        frames=dicom_image.frames(header),
    )


def _identifier(header: Any, keyword: str) -> str:
    value = text(header, keyword)
    if not value or set(value) - set("0123456789."):
        raise Unreadable(
            f"The DICOM header has no valid {keyword}, by which an archive would know the image."
        )
    return value


def _value(header: Any, keyword: str) -> Value:
    def plain() -> Value:
        value = header.get(keyword)
        if isinstance(value, MutableSequence):
            return [str(each) for each in value]
        return "" if value is None else str(value)

    value = quietly(plain, f"The DICOM header is damaged: {keyword} is malformed.")
    if _UNDECODABLE in "".join(value):
        raise Unreadable(
            f"The character set of the DICOM header does not fit {keyword}: a copy would not be "
            "the same text."
        )
    return value
