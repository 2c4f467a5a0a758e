"""Outlines of tumours on whole slides, in the XML format of ASAP and Camelyon."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from remedis import files
from remedis.data import safe_xml
from remedis.errors import UserError

# Groups in the files of Camelyon16, of their later edition, and of Camelyon17.
TUMOUR_GROUPS = ("Tumor", "_0", "_1", "metastases")
HOLE_GROUPS = ("Exclusion", "_2", "normal")
# A spline counts as the polygon of its points.
_SHAPES = ("Polygon", "Spline", "Rectangle")

Polygon = np.ndarray


@dataclasses.dataclass(frozen=True)
class Annotations:
    """Outlines in pixels of the slide's finest level, x to the right and y down.

    Attributes:
      tumours: one array per outline, [points, 2] float64, x and y.
      holes: the same; a point in a hole is not tumour, even if another outline contains it.
    """

    tumours: tuple[Polygon, ...]
    holes: tuple[Polygon, ...]

    def is_tumour(self, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        """Returns whether each point of a grid is tumour.

        Args:
          xs: [W], x of the columns, ascending.
          ys: [H], y of the rows.

        Returns:
          [H, W] bool.
        """
        result = _inside(self.tumours, xs, ys)
        if result.any():
            result &= ~_inside(self.holes, xs, ys)
        return result


def read(path: files.Path) -> Annotations:
    """Reads an annotation file of ASAP.

    The groups `Tumor`, `_0`, `_1` and `metastases` are tumour; `Exclusion`, `_2` and `normal` are
    holes in it.

    Raises:
      UserError: the file cannot be read, is not XML of ASAP, declares a document type (which no
        annotation file does, but attacks with entities do), or has an unknown group or shape or a
        malformed point; or defusedxml is not installed.
    """
    path = pathlib.Path(path)
    root = safe_xml.root(path, "annotation file", "ASAP's annotations")
    if root.tag != "ASAP_Annotations":
        raise UserError(f"{path}: its root is not ASAP_Annotations; expected ASAP's annotations.")
    polygons: dict[bool, list[Polygon]] = {True: [], False: []}
    for number, annotation in enumerate(root.iterfind("Annotations/Annotation"), 1):
        where = f"{path}, annotation {number} ({annotation.get('Name', 'without a name')})"
        group, shape = annotation.get("PartOfGroup", ""), annotation.get("Type", "")
        if group not in (*TUMOUR_GROUPS, *HOLE_GROUPS):
            raise UserError(
                f"{where}: unknown group {group!r}; expected "
                f"{', '.join((*TUMOUR_GROUPS, *HOLE_GROUPS))}."
            )
        if shape not in _SHAPES:
            raise UserError(f"{where}: unknown shape {shape!r}; expected {', '.join(_SHAPES)}.")
        polygons[group in TUMOUR_GROUPS].append(_polygon(where, annotation))
    if not polygons[True]:
        raise UserError(f"{path} has no annotation of a tumour; remove the file if there is none.")
    return Annotations(tuple(polygons[True]), tuple(polygons[False]))


def _polygon(where: str, annotation: Any) -> Polygon:
    points: list[tuple[int, float, float]] = []
    for coordinate in annotation.iterfind("Coordinates/Coordinate"):
        try:
            order = int(coordinate.attrib["Order"])
            x, y = float(coordinate.attrib["X"]), float(coordinate.attrib["Y"])
        except (KeyError, ValueError):
            x = y = order = math.nan  # type: ignore[assignment]
        if not (math.isfinite(x) and math.isfinite(y)):
            raise UserError(
                f"{where}, point {len(points) + 1}: expected the numbers Order, X and Y."
            )
        points.append((order, x, y))
    if len(points) < 3:
        raise UserError(f"{where}: {len(points)} points; expected three or more.")
    return np.array([point[1:] for point in sorted(points)])


def _inside(polygons: Sequence[Polygon], xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Returns which points of a grid are in any of the polygons, by the even-odd rule.

    A polygon is half open: it contains its left and upper edges and not the others.
    `skimage.measure.points_in_poly` counts all edges as inside, and is eight times slower for 32 x
    32 points and an outline of 4,000.
    """
    result = np.zeros((len(ys), len(xs)), bool)
    for polygon in polygons:
        (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
        if right < xs[0] or left > xs[-1] or bottom < ys[0] or top > ys[-1]:
            continue
        x1, y1 = polygon.T
        x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
        for row, y in enumerate(ys):
            # Half open: a row through a corner crosses one of its two edges, both, or neither.
            crossed = (y1 <= y) != (y2 <= y)
            along = (y - y1[crossed]) / (y2[crossed] - y1[crossed])
            crossings = np.sort(x1[crossed] + along * (x2[crossed] - x1[crossed]))
            result[row] |= np.searchsorted(crossings, xs, side="right") % 2 == 1
    return result
