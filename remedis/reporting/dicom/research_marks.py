"""What all DICOM objects of a model's output share: marks of research use, and whose they are."""

import contextlib
import dataclasses
from typing import Any

import remedis
from remedis.data.readers import dicom_header
from remedis.data.readers.dicom_origin import Origin
from remedis.visible_text import visible

EXTRA = "report"
MANUFACTURER = "remedis"
CHARACTERS = "ISO_IR 192"  # UTF-8: names of labels may be in any script
_LONGEST = 64  # characters of a value of the kind LO


@dataclasses.dataclass(frozen=True)
class ReportedModel:
    """The model whose output is reported.

    Attributes:
      name: of the model.
      sha256: of its graph and weights.
      random_weights: whether they are random.
    """

    name: str
    sha256: str
    random_weights: bool

    def series(self, content: str) -> str:
        """Returns the description of a series: the first that a viewer shows of it."""
        marks = "RESEARCH ONLY, RANDOM WEIGHTS" if self.random_weights else "RESEARCH USE ONLY"
        return long_string(f"{marks}: {content}")


def highdicom(module: str = "highdicom") -> Any:
    """Returns a module of highdicom, whose log records on headers are suppressed.

    Raises:
      UserError: it is not installed.
    """
    return dicom_header.load_silenced(module, EXTRA)


def long_string(text: str) -> str:
    """Returns a text as one DICOM value of kind LO (long string), of 64 characters at most.

    A backslash would separate values.
    """
    return visible(text).replace("\\", "/")[:_LONGEST]


def shared_arguments(model: ReportedModel) -> dict[str, Any]:
    """Returns the arguments that every object takes from the model and from this software."""
    return {
        "sop_instance_uid": highdicom().UID(),
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": long_string(model.name),
        "software_versions": remedis.__version__,
        "device_serial_number": model.sha256,
        "content_qualification": "RESEARCH",
        "specific_character_set": CHARACTERS,
    }


def keep_patient_and_study(dataset: Any, origin: Origin) -> None:
    """Copies patient and study as they are in the image, into an object of the same study.

    Values that the standard does not allow are kept: an archive finds the study by them.
    """
    for keyword, value in origin.patient_and_study.items():
        if value or keyword in dataset:
            setattr(dataset, keyword, value)
        if not value and keyword in ("StudyDescription", "IssuerOfPatientID"):
            with contextlib.suppress(AttributeError):  # optional: absent where unknown
                delattr(dataset, keyword)
