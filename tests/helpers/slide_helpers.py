"""Synthetic whole slides and annotations for tests."""

import pathlib

import numpy as np
import tifffile

WHITE, PINK, PURPLE = (255, 255, 255), (220, 120, 180), (110, 40, 130)
TILE = 64  # of the TIFF file


def blank(width: int, height: int) -> np.ndarray:
    """Returns a slide of glass, [height, width, 3] uint8."""
    return np.full((height, width, 3), WHITE, np.uint8)


def write_slide(
    path: pathlib.Path, pixels: np.ndarray, mpp: float | None = 0.25, levels: int = 3
) -> pathlib.Path:
    """Writes a tiled TIFF that OpenSlide reads; each level has half the size of the one before.

    Args:
      path: the file.
      pixels: [H, W, 3] uint8; H and W are multiples of 2 to the number of levels.
      mpp: micrometres per pixel; not written if None.
      levels: number of levels.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as writer:
        for level in range(levels):
            resolution = {}
            if mpp:
                per_centimetre = 1e4 / (mpp * 2**level)
                resolution = {
                    "resolution": (per_centimetre, per_centimetre),
                    "resolutionunit": "CENTIMETER",
                }
            writer.write(
                pixels,
                tile=(TILE, TILE),
                photometric="rgb",
                subfiletype=int(level > 0),
                metadata=None,
                **resolution,
            )
            height, width, _ = pixels.shape
            halves = pixels.reshape(height // 2, 2, width // 2, 2, 3).astype(np.float64)
            pixels = halves.mean(axis=(1, 3)).round().astype(np.uint8)
    return path


def square(left: float, top: float, side: float) -> list[tuple[float, float]]:
    """Returns the corners of a square."""
    return [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]


def annotation(points, group: str = "Tumor", shape: str = "Polygon", name: str = "A") -> str:
    """Returns one annotation in ASAP's XML."""
    coordinates = "".join(
        f'<Coordinate Order="{i}" X="{x}" Y="{y}"/>' for i, (x, y) in enumerate(points)
    )
    return (
        f'<Annotation Name="{name}" Type="{shape}" PartOfGroup="{group}" Color="#F4FA58">'
        f"<Coordinates>{coordinates}</Coordinates></Annotation>"
    )


def write_annotations(path: pathlib.Path, *annotations: str) -> pathlib.Path:
    """Writes a file of annotations in ASAP's XML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>'
        f"{''.join(annotations)}</Annotations><AnnotationGroups/></ASAP_Annotations>\n"
    )
    return path
