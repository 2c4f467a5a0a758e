"""Made-up fundus photographs with signs of diabetic eye disease, with a `manifest.csv`."""

import os
import pathlib
from collections.abc import Iterator

import numpy as np

from remedis.data.label_names import SIGNS
from remedis.synthetic.drawing import Floats, bump, clouds, generator, soft_step
from remedis.synthetic.table_layout import Row, folder, write_table

NAME = "fundus"
_COHORT = 8
_EDEMA, _RETINOPATHY = 0.3, 0.4  # shares of the patients


def write_fundus(
    directory: str | os.PathLike[str],
    patients: int = 150,
    seed: int = 0,
    image_size: int = 96,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/fundus`: `manifest.csv`, and the photographs of both eyes of a patient.

    Args and errors are those of `write_skin`. Of the two signs, none, one or both are there.
    """

    def draw(patient: int) -> Iterator[tuple[Row, Floats]]:
        rng = generator(seed, _COHORT, patient)
        edema, retinopathy = rng.random() < _EDEMA, rng.random() < _RETINOPATHY
        for eye in ("left", "right"):
            row = {
                "laterality": eye,
                **dict(zip(SIGNS, map(int, (edema, retinopathy)), strict=True)),
            }
            yield row, draw_eye(eye, edema, retinopathy, rng, image_size)

    return write_table(
        folder(directory, NAME),
        draw,
        patients=patients,
        image_size=image_size,
        seed=seed,
        style="one camera",
        overwrite=overwrite,
    )


def draw_eye(
    eye: str, edema: bool, retinopathy: bool, rng: np.random.Generator, size: int
) -> Floats:
    """Returns a photograph [size, size, 3] in [0, 1]; the optic disc is on the side of the nose."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    field = soft_step(0.47 - np.hypot(y, x), 0.02)
    level = rng.uniform(0.55, 0.85)
    red = level * (1 + 0.05 * clouds(rng, (size, size), 5) - 0.8 * (y**2 + x**2))
    macula = np.hypot(y - rng.normal(0, 0.01), x - rng.normal(0, 0.01))
    disc = np.hypot(y - rng.normal(0, 0.01), x + 0.3)
    vessels = sum(
        bump(y - side * (0.05 + bend * np.sqrt(np.clip(x + 0.3, 0, 1))), 0.008)
        for side in (-1, 1)
        for bend in rng.uniform(0.15, 0.45, 2)
    )
    red = red * (1 - 0.25 * bump(macula, 0.07)) * (1 - 0.35 * np.clip(vessels, 0, 1))
    dark = np.zeros((size, size))
    for _ in range(int(rng.integers(12, 30)) if retinopathy else 0):  # haemorrhages
        at = rng.uniform(-0.35, 0.35, 2)
        dark += bump(np.hypot(y - at[0], x - at[1]), rng.uniform(0.008, 0.02))
    bright = bump(disc, 0.05)
    for _ in range(int(rng.integers(10, 20)) if edema else 0):  # exudates around the macula
        at = rng.normal(0, 0.06, 2)
        bright += 0.8 * bump(np.hypot(y - at[0], x - at[1]), 0.01)
    image = red[..., None] * np.array([1.0, 0.5, 0.25]) * (1 - 0.7 * np.clip(dark, 0, 1))[..., None]
    image += np.clip(bright, 0, 1)[..., None] * np.array([0.25, 0.4, 0.3])
    image = image * field[..., None] + rng.normal(0, 0.01, image.shape)
    return np.asarray(image[:, ::-1] if eye == "left" else image)
