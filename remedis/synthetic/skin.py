"""Made-up photographs of skin lesions, one of seven classes each, with a `manifest.csv`.

The names of the classes are those of HAM10000 (Tschandl, Rosendahl and Kittler, Scientific Data
5:180161, 2018). Colour, outline and pattern tell them apart; they are ours and no likenesses.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from remedis.data.label_names import LESIONS
from remedis.synthetic.drawing import Floats, bump, clouds, generator, soft_step
from remedis.synthetic.table_layout import Row, folder, write_table

NAME = "skin"
_COHORT = 7
# Of every ten patients, four have a nevus, as nevi are the most frequent in practice.
_OF_PATIENT = ("nv", "mel", "nv", "bkl", "bcc", "nv", "akiec", "nv", "vasc", "df")


@dataclasses.dataclass(frozen=True)
class ClinicStyle:
    """How a clinic photographs skin.

    Attributes:
      name: of the clinic.
      light: gains of red, green and blue.
      zoom: size of lesions in the image, 1 for about half of its width.
      tones: range of the brightness of skin.
    """

    name: str
    light: tuple[float, float, float]
    zoom: float
    tones: tuple[float, float]


CLINIC_A = ClinicStyle("clinic A", (1.0, 1.0, 1.0), 1.0, (0.7, 0.95))
CLINIC_B = ClinicStyle("clinic B", (0.95, 0.85, 0.6), 0.7, (0.4, 0.75))


@dataclasses.dataclass(frozen=True)
class _Lesion:
    """The look of a class: its colour, and how much of each pattern it has."""

    colour: tuple[float, float, float]
    radius: float = 0.24
    ragged: float = 0.05
    mottled: float = 0.05
    rim: float = 0.0
    centre: float = 0.0


_LOOKS = {
    "akiec": _Lesion((0.80, 0.42, 0.38), 0.26, 0.12, 0.30),
    "bcc": _Lesion((0.85, 0.62, 0.58), 0.20, 0.05, 0.10, rim=-0.35),
    "bkl": _Lesion((0.62, 0.44, 0.28), 0.28, 0.08, 0.25),
    "df": _Lesion((0.60, 0.40, 0.32), 0.20, 0.04, 0.05, centre=0.40),
    "mel": _Lesion((0.24, 0.16, 0.14), 0.28, 0.25, 0.35),
    "nv": _Lesion((0.42, 0.26, 0.18), 0.20, 0.03, 0.06),
    "vasc": _Lesion((0.60, 0.10, 0.22), 0.18, 0.06, 0.08),
}


def write_skin(
    directory: str | os.PathLike[str],
    patients: int = 400,
    seed: int = 0,
    image_size: int = 96,
    style: ClinicStyle = CLINIC_A,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/skin`, completely or not at all: `manifest.csv` and one folder a patient.

    A patient has one lesion, with one or two photographs. `manifest.csv` has one column per class,
    of which exactly one is 1. A patient of a seed does not depend on their number.

    Args:
      directory: the folder to write into.
      patients: their number.
      seed: the same seed gives the same bytes.
      image_size: height and width in pixels.
      style: the clinic.
      overwrite: replace an existing folder.

    Returns:
      The path of the folder `skin`.

    Raises:
      UserError: there are no patients, images are smaller than 32 pixels, or the folder exists.
    """

    def draw(patient: int) -> Iterator[tuple[Row, Floats]]:
        rng = generator(seed, _COHORT, patient)
        name = _OF_PATIENT[patient % len(_OF_PATIENT)]
        tone = rng.uniform(*style.tones)
        for _ in range(int(rng.integers(1, 3))):
            row = {lesion: int(lesion == name) for lesion in LESIONS}
            yield row, draw_lesion(name, style, tone, rng, image_size)

    return write_table(
        folder(directory, NAME),
        draw,
        patients=patients,
        image_size=image_size,
        seed=seed,
        style=style.name,
        overwrite=overwrite,
    )


def draw_lesion(
    name: str, style: ClinicStyle, tone: float, rng: np.random.Generator, size: int
) -> Floats:
    """Returns a photograph [size, size, 3] in [0, 1].

    Args:
      name: one of `LESIONS`.
      style: of the clinic.
      tone: brightness of the skin.
      rng: the generator of the patient.
      size: in pixels.
    """
    look = _LOOKS[name]
    skin = (
        tone * np.array([1.0, 0.82, 0.70]) * (1 + 0.02 * clouds(rng, (size, size), 12)[..., None])
    )
    y, x = np.mgrid[:size, :size] / size - rng.uniform(0.42, 0.58, 2)[:, None, None]
    stretch = rng.uniform(0.85, 1.15)
    distance, angle = np.hypot(y * stretch, x / stretch), np.arctan2(y, x)
    turns = rng.uniform(0, 2 * np.pi, 3)
    lobes = sum(np.cos(k * angle + turn) for k, turn in zip((2, 3, 5), turns, strict=True))
    radius = style.zoom * look.radius * rng.uniform(0.8, 1.2) * (1 + look.ragged * lobes)
    inside = soft_step(radius - distance, 0.03)[..., None]
    brightness = 1 + look.mottled * clouds(rng, (size, size), 8)
    brightness += look.rim * bump(distance - radius, 0.03) + look.centre * bump(distance, 0.06)
    lesion = np.array(look.colour) * (0.6 + 0.5 * tone) * brightness[..., None]
    lit = (skin * (1 - inside) + lesion * inside) * style.light
    return np.asarray(lit + rng.normal(0, 0.015, lit.shape))
