"""The resolution of each slide's finest level: what the slide states, or what the user gives."""

import dataclasses
import logging
import math
import os
import pathlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from remedis.data import resolutions
from remedis.data.readers import Unreadable, slide
from remedis.errors import UserError, some
from remedis.options import spelled_option

_LOG = logging.getLogger(__name__)

# A given resolution that is this close to the stated one is a rounded form of it: 0.25 of 0.2525.
_CLOSE = 0.05


@dataclasses.dataclass(frozen=True)
class Given:
    """The resolutions that a user gives for the finest levels of slides.

    Attributes:
      slide_mpp: micrometres per pixel of slides that do not state them, and have none of their own
        in the table of slides.
      override_known_mpp: whether given resolutions replace those that slides state, too.
      override_mpp: the name of earlier versions for both together.

    Raises:
      UserError: a resolution is not plausible, or the arguments contradict each other.
    """

    slide_mpp: float | None = None
    override_known_mpp: bool = False
    override_mpp: float | None = None

    def __post_init__(self) -> None:
        for name in ("slide_mpp", "override_mpp"):
            check_plausible(name, getattr(self, name))
        if self.override_mpp is None:
            return
        if self.slide_mpp is not None:
            raise UserError(
                "override_mpp is the earlier name of slide_mpp together with override_known_mpp; "
                "give one of the names only."
            )
        _LOG.warning(
            f"override_mpp is replaced by {spelled_option('slide_mpp', 'NUMBER')}, for "
            "slides that do not state their resolution; "
            f"{spelled_option('override_known_mpp')} beside it also changes the "
            "slides that do, as override_mpp does. It will be removed in the next version."
        )
        object.__setattr__(self, "slide_mpp", self.override_mpp)
        object.__setattr__(self, "override_known_mpp", True)


def check_plausible(name: str, mpp: float | None) -> None:
    """Raises a UserError unless the argument called `name` is None or a plausible resolution."""
    if mpp is not None and not resolutions.is_plausible(mpp):
        raise UserError(
            f"{name} is {mpp:g}{resolutions.remark(mpp)}; expected {resolutions.EXPECTED}."
        )


def choose(
    root: pathlib.Path,
    names: Sequence[str],
    of_table: Sequence[float],
    given: Given,
    table: pathlib.Path | None = None,
) -> list[float | None]:
    """Returns for each slide the given resolution, or None where its own statement counts.

    A given resolution counts for a slide that does not state its own. Beside a statement it counts
    only with `override_known_mpp`; without it, a resolution in the table may differ from the
    statement by up to 5 %, and `slide_mpp` is not for this slide.

    Args:
      root: the directory of the slides.
      names: their files, relative to it.
      of_table: micrometres per pixel of each slide in the table of slides; NaN if there are none.
      given: what the user gives for all slides.
      table: the file of the table of slides, for messages; None if there is no such table.

    Raises:
      UserError: a slide cannot be opened, has no plausible resolution, or another one than the
        table states.
    """
    if given.override_known_mpp and given.slide_mpp is None and all(map(math.isnan, of_table)):
        raise UserError(
            f"{spelled_option('override_known_mpp')} has no resolution to use; "
            + (f"give it in the column mpp of {table}, or " if table else "")
            + f"set {spelled_option('slide_mpp', 'NUMBER')}."
        )
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        stated = list(threads.map(lambda name: _stated(root / name), names))
    result: list[float | None] = []
    silent, doubtful, other, changed = [], [], [], []
    for name, own, mpp in zip(names, stated, of_table, strict=True):
        value = given.slide_mpp if math.isnan(mpp) else mpp
        result.append(value)
        if own is None:
            silent += [name] if value is None else []
        elif value is not None and given.override_known_mpp:
            if isinstance(own, str) or abs(value / own - 1) > _CLOSE:
                changed.append(name)
        elif isinstance(own, str):
            doubtful.append(f"{name} ({own.rstrip('.')})")
        else:
            result[-1] = None
            if not math.isnan(mpp) and abs(mpp / own - 1) > _CLOSE:
                other.append(f"{name} ({mpp:.4g}, but the slide states {own:.4g})")
    _refuse(len(names), silent, doubtful, other, table)
    if changed:
        _LOG.warning(
            f"The given resolution replaces another one that {len(changed):,} of {len(names):,} "
            f"slides state: {some(changed)}."
        )
    return result


def _refuse(
    total: int,
    silent: Sequence[str],
    doubtful: Sequence[str],
    other: Sequence[str],
    table: pathlib.Path | None,
) -> None:
    override = spelled_option("override_known_mpp")
    for_all = f"set {spelled_option('slide_mpp', 'NUMBER')}"
    if silent:
        raise UserError(
            f"{len(silent):,} of {total:,} slides do not state their micrometres per pixel: "
            f"{some(silent, limit=3)}; "
            + (f"give those of the finest level in the column mpp of {table}, or " if table else "")
            + f"{for_all}, if they are the same for all these slides."
        )
    if doubtful:
        raise UserError(
            f"The resolution of {len(doubtful):,} of {total:,} slides cannot be right: "
            f"{some(doubtful, limit=3)}; "
            + (f"give the right one in the column mpp of {table}" if table else for_all)
            + f" and set {override}."
        )
    if other:
        raise UserError(
            f"{table}, column 'mpp': {len(other):,} of {total:,} slides state another resolution: "
            f"{some(other, limit=3)}; correct or empty these cells, or set {override} if the table "
            "is right."
        )


def _stated(path: pathlib.Path) -> float | str | None:
    """Returns the resolution that a slide states, why it cannot be right, or None if there is none.

    Raises:
      UserError: the slide cannot be opened.
    """
    try:
        with slide.opened(str(path)) as opened:
            try:
                return slide.resolution(opened)
            except slide.NotStated:
                return None
            except Unreadable as error:
                return str(error)
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from None
