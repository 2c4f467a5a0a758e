"""Made-up mammograms, four views per study, with a `manifest.csv`."""

import os
import pathlib
from collections.abc import Iterator

import numpy as np

from remedis.synthetic.drawing import Floats, bump, clouds, generator, soft_step
from remedis.synthetic.table_layout import Row, folder, write_table

NAME = "mammography"
_COHORT = 9
_SICK = 0.3  # share of the patients, of whom one breast has a mass


def write_mammograms(
    directory: str | os.PathLike[str],
    patients: int = 100,
    seed: int = 0,
    image_size: int = 96,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes `<directory>/mammography`: `manifest.csv`, and two views of each breast of a patient.

    Args and errors are those of `write_skin`. The label `cancer` is that of the breast: 1 for both
    of its views, also if the other breast has none. `view` is L-CC, L-MLO, R-CC or R-MLO.
    """

    def draw(patient: int) -> Iterator[tuple[Row, Floats]]:
        rng = generator(seed, _COHORT, patient)
        sick_side = "LR"[int(rng.integers(2))] if rng.random() < _SICK else ""
        shape = rng.uniform(0.8, 1.1), rng.uniform(0.1, 0.35)
        for side in "LR":
            mass = rng.uniform(-0.2, 0.2), rng.uniform(0.15, 0.3)
            for view in ("CC", "MLO"):
                row = {
                    "study_id": f"s{patient:05d}",
                    "view": f"{side}-{view}",
                    "cancer": int(side == sick_side),
                }
                visible = mass if side == sick_side else None
                yield row, draw_breast(side, view, shape, visible, rng, image_size)

    return write_table(
        folder(directory, NAME),
        draw,
        patients=patients,
        image_size=image_size,
        seed=seed,
        style="one device",
        overwrite=overwrite,
    )


def draw_breast(
    side: str,
    view: str,
    shape: tuple[float, float],
    mass: tuple[float, float] | None,
    rng: np.random.Generator,
    size: int,
) -> Floats:
    """Returns a grey film [1.25 size, size] in [0, 1], of the left breast from the left edge.

    Args:
      side: L or R.
      view: CC or MLO; the latter shows the pectoral muscle.
      shape: size of the breast, and density of its tissue.
      mass: height and depth of a mass; None for none.
      rng: the generator of the patient.
      size: width in pixels.
    """
    height = round(1.25 * size)
    y, x = np.mgrid[:height, :size] / size
    y = y - 0.625
    breast = soft_step(1 - np.hypot(y / (0.55 * shape[0]), x / (0.7 * shape[0])), 0.08)
    tissue = clouds(rng, (height, size), 9) + clouds(rng, (height, size), 24) / 2
    film = breast * (0.28 + shape[1] * np.clip(0.5 + 0.4 * tissue, 0, 1))
    if view == "MLO":
        film += 0.3 * soft_step(0.22 - x - 0.5 * (y + 0.5), 0.05)
    if mass is not None:
        down, right = y - mass[0] - rng.normal(0, 0.01), x - mass[1]
        distance, angle = np.hypot(down, right), np.arctan2(down, right)
        film += 0.5 * bump(distance, 0.035) + 0.25 * bump(distance, 0.07) * np.cos(9 * angle) ** 8
    film += rng.normal(0, 0.01, film.shape)
    return np.asarray(film if side == "L" else film[:, ::-1])
