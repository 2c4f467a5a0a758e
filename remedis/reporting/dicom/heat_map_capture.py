"""A heat map over its image as a DICOM Secondary Capture, which every viewer shows.

A Parametric Map would hold the values themselves, but it needs a frame of reference, which
radiographs have not, and few viewers draw it over the image. The values stand in the table beside
the files.
"""

import dataclasses
import os
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from remedis.data.readers.dicom_origin import Origin
from remedis.reporting import fonts
from remedis.reporting.dicom import research_marks
from remedis.reporting.dicom.research_marks import ReportedModel, highdicom
from remedis.visible_text import visible

Bytes = npt.NDArray[np.uint8]

SERIES_NUMBER = 9902
LONGEST = 1024  # pixels of the picture: a cell of the map covers 32 of the network's input
_NARROWEST, _TEXT, _MARGIN = 480, 15, 6  # pixels of the picture, of a line's letters, around them
_COLUMN = 0.62  # widths of a letter, in its size


@dataclasses.dataclass(frozen=True)
class Capture:
    """A heat map to be stored.

    Attributes:
      origin: of the image.
      frame: as for `structured_report.ScoredImage`.
      picture: [H, W, 3], the map over the image.
      caption: lines that are burnt in above the picture: they hide nothing of it.
      description: sentences for whoever reads the header.
    """

    origin: Origin
    frame: int | None
    picture: Bytes
    caption: tuple[str, ...]
    description: str


def build(capture: Capture, model: ReportedModel, series: str, number: int) -> Any:
    """Returns the capture, a `pydicom.Dataset` that is ready to be saved.

    Args:
      capture: the heat map.
      model: that it explains.
      series: identifier of the series of the study's heat maps.
      number: of the capture in its series, from 1.

    Raises:
      UserError: highdicom is not installed.
    """
    sc = highdicom("highdicom.sc")
    codes = highdicom("pydicom.sr.codedict").codes
    image = sc.SCImage(
        pixel_array=captioned(capture.picture, capture.caption),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # a placeholder: the image's own follows
        study_instance_uid=capture.origin.study,
        series_instance_uid=series,
        series_number=SERIES_NUMBER,
        instance_number=number,
        series_description=model.series("heat maps"),
        **research_marks.shared_arguments(model),
    )
    image.PatientOrientation = None
    image.Laterality = capture.origin.pixels.get("ImageLaterality", "")
    for keyword, value in capture.origin.pixels.items():
        setattr(image, keyword, value)
    research_marks.keep_patient_and_study(image, capture.origin)
    image.DerivationDescription = visible(capture.description)[:1024]
    image.ImageComments = visible(" ".join(capture.caption))
    image.SourceImageSequence = [_source(capture, codes.DCM.SourceImageForImageProcessingOperation)]
    return image


def _source(capture: Capture, purpose: Any) -> Any:
    source = highdicom("pydicom").Dataset()
    source.ReferencedSOPClassUID = capture.origin.sop_class
    source.ReferencedSOPInstanceUID = capture.origin.instance
    if capture.frame is not None:
        source.ReferencedFrameNumber = capture.frame
    source.PurposeOfReferenceCodeSequence = [highdicom("highdicom.sr").CodedConcept(*purpose)]
    return source


def captioned(picture: Bytes, caption: tuple[str, ...]) -> Bytes:
    """Returns a picture [H, W, 3] below a caption on black, in at most `LONGEST` pixels.

    Small pictures stay as they are, beside black.
    """
    shown = Image.fromarray(picture)
    shown.thumbnail((LONGEST, LONGEST))
    width = max(shown.width, _NARROWEST)
    columns = int((width - 2 * _MARGIN) / (_COLUMN * _TEXT))
    lines = [part for text in caption for part in fonts.wrapped(visible(text), columns)]
    height = round(1.3 * _TEXT)
    top = len(lines) * height + 2 * _MARGIN
    canvas = Image.new("RGB", (width, top + shown.height))
    canvas.paste(shown, (0, top))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(os.fspath(fonts.font_file("".join(lines))), _TEXT)
    for i, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + i * height), line, "white", font)
    return np.asarray(canvas)
