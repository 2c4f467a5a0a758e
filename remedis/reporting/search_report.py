"""What a search of embeddings found: as text, as values for programs, and as a page of pictures."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis import files
from remedis.errors import counted
from remedis.evaluation.cosine_neighbours import NONE
from remedis.inference.duplicate_images import DuplicateImages
from remedis.inference.embedding_file import EmbeddingFile
from remedis.inference.outlying_images import OutlyingImages
from remedis.inference.similar_images import LabelShare, SimilarImages
from remedis.reporting import gallery
from remedis.reporting.gallery import Picture, PictureRow
from remedis.reporting.notes import RANDOM_WEIGHTS

_MOST_GROUPS, _MOST_OF_GROUP = 50, 12  # pictures of duplicates on the page
_MOST_OUTLIERS = 24
_MOST_PRINTED = 40  # rows of the table
_MOST_LABELS = 3  # of which the values are shown; of more, those that are positive
_HIDDEN = ("sha256", "row", "study_id")
_NUMBERS = ("similarity", "score")
_WHAT = (
    "Embeddings by {checkpoint}, {preprocess}. The page holds images and ids of patients. A high "
    "cosine similarity means that the network sees two images alike, for whatever reason."
)


@dataclasses.dataclass(frozen=True, eq=False)
class SearchReport:
    """What was found, in words, as a table, and which images to show.

    Attributes:
      title: of the page.
      file: that of the images found.
      answer: sentences.
      warnings: sentences that come first.
      table: one row per image that was found.
      rows: sections of the page, whose pictures have no data yet.
      values: further numbers for programs.
    """

    title: str
    file: EmbeddingFile
    answer: Sequence[str]
    warnings: Sequence[str]
    table: pd.DataFrame
    rows: Sequence[PictureRow]
    values: Mapping[str, Any]


def of_similar(found: SimilarImages) -> SearchReport:
    """Returns the report of the images that are like each query."""
    table = found.table
    sections, answer = [], []
    for number, query in enumerate(found.queries):
        # A query may be asked twice, so its number and not its name selects.
        count = int((found.neighbours.rows[number] != NONE).sum())
        start = int((found.neighbours.rows[:number] != NONE).sum())
        part = table.iloc[start : start + count]
        where = "not in the file" if query.row is None else f"row {query.row:,}"
        if not count:
            answer.append(f"{query.name}: no image to compare with.")
            continue
        low, high = part["similarity"].iloc[-1], part["similarity"].iloc[0]
        answer.append(
            f"{query.name} ({where}): the {counted(count, 'most similar image')} among "
            f"{len(found.file.rows):,}, of cosine similarity {high:.4f} to {low:.4f}."
        )
        shares = [share for share in found.label_shares(number) if share.known]
        if len(shares) > _MOST_LABELS:
            shares = [share for share in shares if share.positive]
        sentences = [_share(share) for share in shares]
        answer += sentences
        lines = [] if query.row is None else _lines(found.file, query.row)
        pictures = [Picture(query.name, "", "query", lines, marked=True)]
        pictures += [
            Picture(str(path), "", f"{rank}. similarity {similarity:.4f}", _lines(found.file, row))
            for rank, similarity, row, path in zip(
                part["rank"], part["similarity"], part["row"], part["path"], strict=True
            )
        ]
        sections.append(PictureRow(f"Cases like {query.name}", sentences, pictures))
    if found.other_patients:
        answer.append("Images of the query's own patient are left out.")
    title = f"Cases like this one, in {found.file.path.name}"
    return SearchReport(title, found.file, answer, _warnings(found.file), table, sections, {})


def of_duplicates(found: DuplicateImages) -> SearchReport:
    """Returns the report of groups of near-identical images."""
    table, groups = found.table, found.groups
    answer = [
        f"{counted(len(groups), 'group')} with {counted(len(table), 'image')} of "
        f"{len(found.file.rows):,}, each a chain of pairs with a cosine similarity of "
        f"{found.similarity:g} or more; without all but the first of each group, "
        f"{counted(int(found.kept.sum()), 'image is', 'images are')} left."
    ]
    if copies := found.same_files():
        answer.append(f"{counted(copies, 'image is', 'images are')} the same file as another.")
    warnings = _warnings(found.file)
    for column, words in (("patient_id", "several patients"), ("split", "several splits")):
        if crossing := found.crossing(column):
            warnings.append(f"{counted(crossing, 'group has', 'groups have')} {words}.")
    if not found.complete:
        warnings.append(
            "Not all pairs were found: there are more than a search returns. A higher similarity "
            "finds fewer."
        )
    sections = []
    for number, rows in enumerate(groups[:_MOST_GROUPS], 1):
        part = table[table["group"] == number].head(_MOST_OF_GROUP)
        left = len(rows) - len(part)
        pictures = [
            Picture(str(path), "", f"similarity {similarity:.4f}", _lines(found.file, row))
            for path, similarity, row in zip(
                part["path"], part["similarity"], part["row"], strict=True
            )
        ]
        more = [f"{counted(left, 'further image')} not shown."] if left else []
        sections.append(PictureRow(f"Group {number}: {len(rows):,} images", more, pictures))
    if (hidden := len(groups) - len(sections)) > 0:
        answer.append(f"The page shows the largest groups; {hidden:,} more are in the table.")
    title = f"Near-identical images of {found.file.path.name}"
    values = {"kept": int(found.kept.sum()), "complete": found.complete}
    return SearchReport(title, found.file, answer, warnings, table, sections, values)


def of_outliers(found: OutlyingImages) -> SearchReport:
    """Returns the report of outlier scores."""
    file, table = found.other or found.file, found.table
    score = f"the distance (1 - cosine) to the {_ordinal(found.k)} nearest image of another patient"
    answer = [f"The outlier score of an image is {score}, among {len(found.own):,} images."]
    if found.auroc is not None and found.other is not None:
        names = f"images of {found.other.path.name} from those of {found.file.path.name}"
        if found.auroc.estimable:
            answer.append(
                f"It tells {names} with an AUROC of {found.auroc.interval} (95 % interval by "
                f"patient), from {found.auroc.patients:,} patients, "
                f"{found.auroc.positives:,} of them of {found.other.path.name}; 0.5 means that it "
                "does not."
            )
        else:
            answer.append(f"How well it tells {names} is not estimable: {found.auroc.reason}.")
    shown = table.head(_MOST_OUTLIERS)
    pictures = [
        Picture(str(path), "", f"score {value:.4f}", _lines(file, row))
        for path, value, row in zip(shown["path"], shown["score"], shown["row"], strict=True)
    ]
    heading = f"The farthest images of {file.path.name}"
    warnings = [*_warnings(found.file), *found.notes()]
    values = {"k": found.k, "auroc": None if found.auroc is None else found.auroc.to_json()}
    title = f"Outliers of {file.path.name}"
    sections = [PictureRow(heading, [], pictures)]
    return SearchReport(title, file, answer, warnings, table, sections, values)


def printed(report: SearchReport) -> RenderableType:
    """Returns the report for people: sentences, and a table of at most `_MOST_PRINTED` rows."""
    warnings = [Text(warning, style="bold red") for warning in report.warnings]
    parts: list[RenderableType] = [*warnings, *map(Text, report.answer)]
    if len(report.table):
        parts.append(_table(report.table.head(_MOST_PRINTED), report.file.record["labels"]))
    if (more := len(report.table) - _MOST_PRINTED) > 0:
        parts.append(Text(f"{more:,} more rows; --json has all."))
    return Group(*parts)


def to_json(report: SearchReport) -> dict[str, Any]:
    """Returns the same for programs, with all rows."""
    plain = report.table.astype(object).where(report.table.notna(), None)
    return {
        "answer": list(report.answer),
        "warnings": list(report.warnings),
        **report.values,
        "images": plain.to_dict("records"),
    }


def write_page(report: SearchReport, out: files.Path, images: files.Path | None) -> None:
    """Writes the page of pictures.

    Args:
      report: what to show.
      out: the file to write.
      images: folder at which relative paths start; the working directory if None.
    """
    from remedis.reporting import thumbnails  # loads TensorFlow

    names = [picture.name for row in report.rows for picture in row.pictures]
    urls = thumbnails.data_urls(names, images)
    rows = [
        dataclasses.replace(
            row,
            pictures=[
                dataclasses.replace(picture, url=urls.get(picture.name, ""))
                for picture in row.pictures
            ],
        )
        for row in report.rows
    ]
    record = report.file.record
    what = _WHAT.format(checkpoint=record["checkpoint"], preprocess=record["preprocess"])
    files.write_text(out, gallery.page(report.title, what, report.answer, report.warnings, rows))


def _warnings(file: EmbeddingFile) -> list[str]:
    return [f"{RANDOM_WEIGHTS}."] if file.record["random_weights"] else []


def _share(share: LabelShare) -> str:
    """Returns how often a label is positive among neighbours and in the file, as a sentence."""
    return (
        f"{share.label}: {share.positive:,} of {share.known:,} neighbours where it is known; in "
        f"the whole file {share.file_positive:,} of {share.file_known:,} "
        f"({100 * share.file_positive / share.file_known:.0f} %)."
    )


def _ordinal(number: int) -> str:
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number:,}{last or 'th'}"


def _lines(file: EmbeddingFile, row: int) -> list[str]:
    """Returns what is known about an image of a file: ids, and labels with their values."""
    labels = file.record["labels"]
    known = file.table.iloc[row].drop(["path", "sha256", *labels], errors="ignore")
    words = {"patient_id": "patient", "study_id": "study", "slide_id": "slide"}
    lines = [f"{words.get(str(name), name)} {value}" for name, value in known.dropna().items()]
    values = file.table.iloc[row][labels].dropna()
    if len(labels) > _MOST_LABELS:
        return [*lines, *(str(name) for name, value in values.items() if value == 1)]
    return [*lines, *(f"{name} {value:g}" for name, value in values.items())]


def _table(rows: pd.DataFrame, labels: Sequence[str]) -> Table:
    """Returns the columns that hold anything, but for hashes and row numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows = _folded(rows, labels)
    shown = [name for name in rows if name not in _HIDDEN and rows[name].notna().any()]
    if "query" in shown and rows["query"].nunique() == 1:
        shown.remove("query")
    for name in shown:
        numeric = pd.api.types.is_numeric_dtype(rows[name])
        table.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for _, row in rows[shown].iterrows():
        table.add_row(*(Text(_cell(name, value)) for name, value in row.items()))
    return table


def _folded(rows: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Returns the rows with the names of positive labels in one column, if there are many."""
    present = [label for label in labels if label in rows]
    if len(present) <= _MOST_LABELS:
        return rows
    positive = [
        ", ".join(label for label in present if row[label] == 1) for _, row in rows.iterrows()
    ]
    return rows.drop(columns=present).assign(labels=positive)


def _cell(name: object, value: Any) -> str:
    if value is None or value is pd.NA or value != value:
        return ""
    if name in _NUMBERS:
        return f"{value:.4f}"
    return f"{value:g}" if isinstance(value, float) else str(value)
