"""Drawing of H&E patches of an imaginary lymph node: lymphocytes, stroma, fat and metastasis.

Colours follow the law of Beer and Lambert: the optical density of a stain is proportional to its
amount. Images are therefore drawn in optical densities, stain by stain (Ruifrok and Johnston,
2001). A pixel is about a micrometre wide.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from remedis.synthetic import nuclei as cells
from remedis.synthetic.drawing import Floats, clouds, soft_step

# Side in pixels of the square in the middle of a patch that decides its label.
CENTRE = 32


@dataclasses.dataclass(frozen=True)
class CentreStyle:
    """The stains and the scanner of one laboratory.

    Attributes:
      name: of the centre.
      haematoxylin: optical densities for red, green and blue of the blue-purple stain of nuclei.
      eosin: the same for the pink stain of other tissue.
      strength: of haematoxylin and of eosin, 1 = usual.
      brightness: of empty glass, 1 = white.
      blur: standard deviation of the blur in pixels.
      noise: standard deviation of the noise, as a share of white.
    """

    name: str
    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    strength: tuple[float, float]
    brightness: float
    blur: float
    noise: float


# The vectors vary around haematoxylin (0.56, 0.72, 0.41) and eosin (0.22, 0.80, 0.56), the
# reference of Macenko et al., 2009. Centre 1 (validation) and centre 2 (test) differ the most from
# the other centres, as a new hospital may.
CENTRES = (
    CentreStyle("centre 0", (0.56, 0.72, 0.41), (0.22, 0.80, 0.56), (1.0, 1.0), 0.96, 0.5, 0.010),
    CentreStyle("centre 1", (0.48, 0.76, 0.44), (0.30, 0.80, 0.52), (1.3, 0.7), 0.90, 0.8, 0.015),
    CentreStyle("centre 2", (0.68, 0.66, 0.32), (0.12, 0.88, 0.40), (0.35, 2.2), 0.99, 1.8, 0.02),
    CentreStyle("centre 3", (0.53, 0.73, 0.43), (0.25, 0.79, 0.58), (1.1, 0.9), 0.94, 0.6, 0.012),
    CentreStyle("centre 4", (0.59, 0.71, 0.38), (0.19, 0.82, 0.54), (0.9, 1.1), 0.97, 0.5, 0.010),
)


def draw_patch(
    tumour: bool, style: CentreStyle, rng: np.random.Generator, size: int = 96
) -> NDArray[np.uint8]:
    """Draws one patch.

    Args:
      tumour: whether metastasis reaches the square of `CENTRE` pixels in the middle. One in four
        of the other patches has metastasis at its border, as some real patches have.
      style: the centre.
      rng: the generator of the patch.
      size: side in pixels.

    Returns:
      [size, size, 3] uint8 RGB.
    """
    shape = (size, size)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    nest = _nest(tumour, rows, columns, rng)
    fat = _fat(rows, columns, rng) * (1 - nest)
    stroma = _stroma(rows, columns, rng)

    small, large = cells.lymphocytes(nest, fat, rng), cells.tumour_cells(nest, rng)
    nuclei = np.maximum(cells.paint(small, shape, rng), cells.paint(large, shape, rng))
    chromatin = 1 + 0.22 * clouds(rng, shape, size // 3)
    haematoxylin = 0.08 + nuclei * np.clip(chromatin, 0.5, 1.6) + 0.02 * nest
    eosin = (0.16 + 0.34 * stroma) * (1 - 0.25 * nest) * (1 - 0.6 * np.clip(nuclei, 0, 1))
    return _stain(haematoxylin * (1 - fat), eosin * (1 - 0.95 * fat), style, rng)


def _nest(tumour: bool, rows: Floats, columns: Floats, rng: np.random.Generator) -> Floats:
    """Returns the mask of metastasis, a ragged island: [H, W] float32 in [0, 1]."""
    size = len(rows)
    ragged = 0.10 * size * clouds(rng, rows.shape, 5)
    angle = rng.uniform(0, 2 * np.pi)
    if tumour:
        radius, away = rng.uniform(0.18, 0.45) * size, rng.uniform(0, 0.14) * size
    elif rng.random() < 0.25:
        radius = rng.uniform(0.15, 0.3) * size
        # Far enough from the middle to leave it free, including the ragged border.
        away = radius + 0.5 * CENTRE + 0.2 * size
    else:
        return np.zeros_like(rows)
    y = size / 2 + away * np.sin(angle)
    x = size / 2 + away * np.cos(angle)
    return soft_step(radius - np.hypot(rows - y, columns - x) + ragged, 0.06 * size)


def _fat(rows: Floats, columns: Floats, rng: np.random.Generator) -> Floats:
    """Returns the mask of fat cells, round holes in some patches: [H, W] float32 in [0, 1]."""
    fat = np.zeros_like(rows)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 6))):
            y, x = rng.uniform(0, len(rows), 2)
            distance = np.hypot(rows - y, columns - x)
            fat = np.maximum(fat, soft_step(rng.uniform(6, 16) - distance, 2))
    return fat


def _stroma(rows: Floats, columns: Floats, rng: np.random.Generator) -> Floats:
    """Returns wavy fibres with one direction, [H, W] float32 in [0, 1.3]."""
    angle = rng.uniform(0, np.pi)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    wavy = across / rng.uniform(4, 8) + 1.3 * clouds(rng, rows.shape, 6)
    fibres = 0.5 + 0.5 * np.sin(2 * np.pi * wavy / 2)
    return np.clip(0.4 * fibres + 0.5 + 0.25 * clouds(rng, rows.shape, 8), 0, 1.3)


def _stain(
    haematoxylin: Floats, eosin: Floats, style: CentreStyle, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Turns amounts of the stains, [H, W] each, into the colours of a centre, [H, W, 3] uint8."""
    # Thickness and staining time differ between sections, independently for each stain.
    vary = np.exp(rng.normal(0, 0.08, 2)).astype(np.float32)
    amounts = np.stack([haematoxylin * style.strength[0], eosin * style.strength[1]], -1) * vary
    vectors = np.array([style.haematoxylin, style.eosin], np.float32)
    light = style.brightness * np.float32(10) ** -(amounts @ vectors)
    light = ndimage.gaussian_filter(light, (style.blur, style.blur, 0))
    light = light + style.noise * rng.standard_normal(light.shape, dtype=np.float32)
    return np.clip(255 * light, 0, 255).astype(np.uint8)
