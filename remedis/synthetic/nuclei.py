"""Cell nuclei: position, shape, darkness, and the painting of hundreds of them at once."""

import dataclasses

import numpy as np

from remedis.synthetic.drawing import Floats, clouds, soft_step


@dataclasses.dataclass(frozen=True)
class Nuclei:
    """The nuclei of one kind in a patch.

    Attributes:
      y: [n] float32 rows of their centres, which may lie outside the patch.
      x: [n] float32 columns of their centres.
      radius: [n] float32, in pixels.
      stretch: [n] float32, length over width.
      density: [n] float32, amount of haematoxylin.
      irregular: deviation of the outlines from ellipses, as a share of the radius.
      reach: largest distance of a nucleus' border from its centre, in pixels.
    """

    y: Floats
    x: Floats
    radius: Floats
    stretch: Floats
    density: Floats
    irregular: float
    reach: int


def lymphocytes(nest: Floats, fat: Floats, rng: np.random.Generator) -> Nuclei:
    """Returns small, round, dark nuclei outside metastasis and fat, and some long ones of fibres.

    Lymphocytes are crowded in places, so that darkness alone is no sign of tumour.

    Args:
      nest: [H, W] float32 in [0, 1], the mask of metastasis.
      fat: [H, W] float32 in [0, 1], the mask of fat.
      rng: the generator of the patch.
    """
    y, x = _scattered(len(nest), rng.uniform(5.8, 8), 8, rng)
    crowding = rng.uniform(0.25, 0.9) + 0.3 * clouds(rng, nest.shape, 4)
    keep = rng.random(len(y)) < _at(crowding, y, x)
    keep &= (_at(nest, y, x) < 0.4) & (_at(fat, y, x) < 0.3)
    y, x = y[keep], x[keep]
    count = len(y)
    long = rng.random(count) < rng.uniform(0, 0.3)
    stretch = np.where(long, rng.uniform(1.8, 2.4, count), rng.uniform(1.0, 1.2, count))
    return Nuclei(
        y=y,
        x=x,
        radius=rng.uniform(2.3, 3.3, count).astype(np.float32),
        stretch=stretch.astype(np.float32),
        density=(rng.uniform(0.6, 0.9, count) * rng.uniform(0.75, 1.1)).astype(np.float32),
        irregular=0.06,
        reach=6,
    )


def tumour_cells(nest: Floats, rng: np.random.Generator) -> Nuclei:
    """Returns large, crowded nuclei of various sizes and shapes, some darker than all others."""
    y, x = _scattered(len(nest), rng.uniform(8.5, 12), 12, rng)
    keep = _at(nest, y, x) >= 0.4
    y, x = y[keep], x[keep]
    count = len(y)
    return Nuclei(
        y=y,
        x=x,
        radius=rng.uniform(3.2, 6.2, count).astype(np.float32),
        stretch=rng.uniform(1.0, 1.6, count).astype(np.float32),
        density=(rng.uniform(0.55, 1.15, count) * rng.uniform(0.75, 1.1)).astype(np.float32),
        irregular=0.14,
        reach=11,
    )


def paint(nuclei: Nuclei, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Returns the amount of haematoxylin, [H, W] float32; all nuclei are painted at once."""
    reach = nuclei.reach
    # The margin holds the parts of nuclei outside the patch.
    margin = 2 * reach + 4
    canvas = np.zeros((shape[0] + 2 * margin, shape[1] + 2 * margin), np.float32)
    window = np.arange(-reach, reach + 1)
    rows = np.rint(nuclei.y).astype(int)[:, None, None] + window[:, None]
    columns = np.rint(nuclei.x).astype(int)[:, None, None] + window
    down = (rows - nuclei.y[:, None, None]).astype(np.float32)
    right = (columns - nuclei.x[:, None, None]).astype(np.float32)

    turn, twice, thrice = rng.uniform(0, 2 * np.pi, (3, len(nuclei.y), 1, 1)).astype(np.float32)
    long = np.cos(turn) * right + np.sin(turn) * down
    short = np.cos(turn) * down - np.sin(turn) * right
    stretch = np.sqrt(nuclei.stretch)[:, None, None]
    long, short = long / stretch, short * stretch
    distance = np.sqrt(long * long + short * short) + 1e-3
    # Two and three lobes make an outline irregular. The cosines of the double and triple angle
    # follow from those of the angle, which is much faster than computing the angle.
    cos, sin = long / distance, short / distance
    cos2, sin2 = cos * cos - sin * sin, 2 * sin * cos
    cos3, sin3 = cos2 * cos - sin2 * sin, sin2 * cos + cos2 * sin
    lobes = cos2 * np.cos(twice) - sin2 * np.sin(twice)
    lobes = lobes + cos3 * np.cos(thrice) - sin3 * np.sin(thrice)
    radius = nuclei.radius[:, None, None] * (1 + nuclei.irregular * lobes)
    inside = soft_step(radius - distance, 1.6)
    # Chromatin lies along the membrane.
    rim = 0.75 + 0.25 * np.clip(distance / radius, 0, 1)
    stain = nuclei.density[:, None, None] * inside * rim
    np.maximum.at(canvas, (rows + margin, columns + margin), stain)
    return canvas[margin:-margin, margin:-margin]


def _scattered(
    size: int, spacing: float, over: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Returns rows and columns, [n] each, of points about `spacing` apart, up to `over` outside."""
    ticks = np.arange(-spacing, size + spacing, spacing, dtype=np.float32)
    y, x = np.meshgrid(ticks, ticks, indexing="ij")
    # Every other row is shifted, since cells are packed like honeycombs.
    x[1::2] += spacing / 2
    jitter = rng.uniform(-0.33, 0.33, (2, *y.shape)).astype(np.float32)
    points = np.stack([y, x]) + spacing * jitter
    near = np.all((points > -over) & (points < size + over), axis=0)
    rows, columns = points[:, near]
    return rows, columns


def _at(mask: Floats, y: Floats, x: Floats) -> Floats:
    """Returns the values of a mask at points; outside, those of its border."""
    last = len(mask) - 1
    rows = np.clip(np.rint(y), 0, last).astype(int)
    columns = np.clip(np.rint(x), 0, last).astype(int)
    return mask[rows, columns]
