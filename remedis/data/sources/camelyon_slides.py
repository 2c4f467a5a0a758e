"""What the sources of Camelyon16 and Camelyon17 share: which tiles of which slides are labelled."""

import dataclasses
import logging
import math
import pathlib
from collections.abc import Collection

import pandas as pd

from remedis.data.manifest import Manifest
from remedis.data.sources import slide_tiles
from remedis.data.sources.slide_tiles import Tiling
from remedis.errors import UserError, some, unknown_choice
from remedis.options import spelled_option

_LOG = logging.getLogger(__name__)

# Directories of masks, and of other images that are no slides.
SKIPPED = ("masks", "evaluation", "evaluation_masks", "background_tissue")
INCOMPLETE = ("positives", "leave_out")
UNKNOWN = ("leave_out", "keep")


@dataclasses.dataclass(frozen=True)
class Choices:
    """What becomes of slides that are not labelled everywhere.

    Attributes:
      incomplete: slides whose outlines may miss tumour: `positives` for the tiles inside an
        outline alone, or `leave_out`.
      unknown: tiles whose label is unknown: `leave_out`, or `keep`, for pretraining.
      allow_missing_slides: accept tables that name slides which are not in the directory.

    Raises:
      UserError: a choice is unknown.
    """

    incomplete: str
    unknown: str
    allow_missing_slides: bool

    def __post_init__(self) -> None:
        if self.incomplete not in INCOMPLETE:
            what = "choice for slides with incomplete outlines"
            raise unknown_choice(what, self.incomplete, INCOMPLETE)
        if self.unknown not in UNKNOWN:
            raise unknown_choice("choice for tiles without a label", self.unknown, UNKNOWN)


def find(root: pathlib.Path, pattern: str, dataset: str, example: str) -> pd.DataFrame:
    """Returns the slides of a data set as `slide_tiles.find`, with ids in lower case.

    The downloads of some years capitalise names. Files with other names are left out; a warning
    lists them.

    Args:
      root: the directory of the data set.
      pattern: regular expression of the whole ids; its named groups become columns.
      dataset: its name, for messages.
      example: names of its slides, for messages.

    Raises:
      UserError: as `slide_tiles.find`, or no slide has such a name.
    """
    found = slide_tiles.find(root, SKIPPED)
    found["slide_id"] = found["slide_id"].str.lower()
    slide_tiles.refuse_same_name(root, found)
    parts = found["slide_id"].str.extract(f"^(?:{pattern})$")
    other = parts.isna().any(axis=1)
    if other.all():
        raise UserError(
            f"{root} does not hold slides of {dataset}: no file is named like {example}."
        )
    if other.any():
        names = found.loc[other, "file"].tolist()
        _LOG.warning(
            f"Left out {len(names):,} slides that are not named like those of {dataset}: "
            f"{some(names)}."
        )
    return found.join(parts)[~other].reset_index(drop=True)


def refuse_missing(
    table: pathlib.Path, named: Collection[str], slides: pd.DataFrame, choices: Choices
) -> None:
    """Raises a UserError if a table names slides that are not there, unless they may be missing."""
    missing = sorted(set(named).difference(slides["slide_id"]))
    if not missing:
        return
    message = f"{table} names {len(missing):,} slides that are not there: {some(missing)}"
    if not choices.allow_missing_slides:
        raise UserError(
            f"{message}; download them, or set {spelled_option('allow_missing_slides')}."
        )
    _LOG.warning(f"{message}.")


def tiles(
    root: pathlib.Path,
    slides: pd.DataFrame,
    wanted: Tiling,
    choices: Choices,
    labels: tuple[str, ...],
    source: str,
) -> Manifest:
    """Returns the manifest of the tiles.

    Args:
      root: the directory of the data set.
      slides: one row per slide: `file`, `slide_id`, `negative`, whether it is known to have no
        tumour, `complete`, whether its outlines, if it has any, enclose all of its tumour, and
        columns for the manifest.
      wanted: the tiles.
      choices: for slides that are not labelled everywhere.
      labels: of the manifest.
      source: name of the source.

    Raises:
      UserError: a negative slide has outlines, no slide with tumour has any, no slide is labelled,
        or as `slide_tiles.cut`.
    """
    outlines = slide_tiles.find_outlines(root, lower_case=True)
    slides = slide_tiles.with_outlines(root, slides, outlines)
    _check_outlines(root, slides, needed=choices.unknown == "leave_out")
    outlined = slides["outlines"].notna()
    negative = slides["negative"] | (outlined & slides["complete"])
    slides["rest"] = negative.map({True: 0.0, False: math.nan})
    reasons = {}
    if choices.unknown == "leave_out":
        reasons["show tumour and have no outlines"] = ~slides["negative"] & ~outlined
    if choices.incomplete == "leave_out":
        reasons["have outlines that may miss tumour"] = outlined & ~slides["complete"]
    left_out = pd.Series(False, slides.index)
    for reason, these in reasons.items():
        left_out |= these
        if these.any():
            names = slides.loc[these, "slide_id"].tolist()
            _LOG.info(f"Left out {len(names):,} slides that {reason}: {some(names)}.")
    if left_out.all():
        raise UserError(f"{root}: no slide has a label; add its outlines.")
    slides = slides[~left_out].drop(columns=["negative", "complete"])
    table = slide_tiles.cut(root, slides, wanted)
    if choices.unknown == "leave_out":
        table = table[table["tumor"].notna()]
    return Manifest(table, labels, root, source)


def _check_outlines(root: pathlib.Path, slides: pd.DataFrame, needed: bool) -> None:
    wrong = slides.loc[slides["negative"] & slides["outlines"].notna(), "outlines"].tolist()
    if wrong:
        raise UserError(
            f"{wrong[0]} outlines tumour on a slide without tumour"
            + (f" (and {len(wrong) - 1:,} more)" if len(wrong) > 1 else "")
            + "; expected outlines of slides with tumour alone: remove the file."
        )
    tumour = slides[~slides["negative"]]
    if needed and len(tumour) and tumour["outlines"].isna().all():
        raise UserError(
            f"{root} has outlines for none of the slides with tumour ({len(tumour):,}); unpack "
            "lesion_annotations.zip into a directory of this name, or download annotations/."
        )
