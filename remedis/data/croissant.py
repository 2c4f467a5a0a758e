"""The description of a manifest in Croissant 1.0, a format for data sets in machine learning.

Source: Croissant Format Specification 1.0, docs.mlcommons.org/croissant/docs/croissant-spec.html.
The file has the structure of the manifest (columns, meanings, digest) and no value of it: it names
no patient and no image.
"""

import datetime
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from remedis import files
from remedis.data.manifest import KNOWN, REQUIRED
from remedis.data.tables import header
from remedis.errors import UserError, quoted, unknown_choice

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
UNKNOWN = "unknown"
# What users can state about the data set.
ABOUT = (
    "citation",
    "creator",
    "date_published",
    "description",
    "license",
    "name",
    "url",
    "version",
)
# Of these, what the specification requires or recommends and what has no value if not stated.
ASKED_FOR = ("license", "citation", "creator", "url", "date_published")
_ADVICE = "Write a manifest with --out first."
_TEXT, _INTEGER, _FLOAT = "sc:Text", "sc:Integer", "sc:Float"
# Type and meaning of the columns of a manifest (`remedis.data.manifest.Manifest`).
_COLUMNS: Mapping[str, tuple[str, str]] = {
    "path": (_TEXT, "Path of the image file, relative to the directory of the manifest."),
    "patient_id": (_TEXT, "Pseudonym of the patient; empty if unknown."),
    "study_id": (_TEXT, "Pseudonym of the study; empty if unknown."),
    "site": (_TEXT, "Hospital or scanner; empty if unknown."),
    "split": (_TEXT, "train, validation or test; empty if not assigned."),
    "sex": (_TEXT, "F or M; empty if unknown."),
    "age": (_FLOAT, "Age in years; empty if unknown."),
    "view": (_TEXT, "Projection of a radiograph; empty if unknown."),
    "slide_id": (_TEXT, "Slide that a patch was cut from; empty if unknown."),
    "mpp": (_FLOAT, "Micrometres per pixel; empty if unknown."),
    "any_label": (_INTEGER, "1 if the image has a label of any kind, else 0."),
}
_LABEL = "Label {}: 1 positive, 0 negative, -1 uncertain, empty unknown."
_PLAIN = frozenset({"1", "0", "-1", "1.0", "0.0", "-1.0", ""})
# The context of the specification, appendix 1.
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def check_about(about: Mapping[str, str]) -> None:
    """Raises a UserError for a key that is none of `ABOUT`, or a date or address that is none."""
    for key in about:
        if key not in ABOUT:
            raise unknown_choice("key of --about", key, ABOUT)
    if date := about.get("date_published"):
        try:
            datetime.date.fromisoformat(date)
        except ValueError as error:
            raise UserError(
                f"--about=date_published={date} is no date; expected one such as 2026-11-28."
            ) from error
    url = about.get("url", "")
    if url and not url.startswith(("https://", "http://")):
        raise UserError(f"--about=url={url} is no address; expected https://...")


def description(
    manifest: files.Path, labels: Sequence[str], about: Mapping[str, str]
) -> dict[str, Any]:
    """Returns the Croissant description of a manifest as JSON-LD.

    Columns that are neither a manifest's nor labels are not described.

    Args:
      manifest: a manifest: CSV in UTF-8 with commas and plain values.
      labels: names of its label columns.
      about: what is known of the data set, by keys of `ABOUT`; the rest is said to be unknown.

    Raises:
      UserError: the file is no plain manifest, or `about` has a key or a value that is wrong.
    """
    check_about(about)
    path = pathlib.Path(manifest)
    columns = header.plain(path)
    if not columns:
        raise UserError(f"{path} is no CSV file in UTF-8 with commas. {_ADVICE}")
    header.check(path, columns, ("path", *labels), 1, _ADVICE)
    _check_values(path, labels)
    described = [name for name in columns if name in labels or name in (*REQUIRED, *KNOWN)]
    name = about.get("name", path.stem)
    values: dict[str, Any] = {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "name": name,
        "description": about.get("description", "A manifest of medical images, one row per image."),
        "conformsTo": CONFORMS_TO,
        "license": about.get("license", UNKNOWN),
        "citeAs": about.get("citation", UNKNOWN),
        "creator": {"@type": "sc:Organization", "name": about.get("creator", UNKNOWN)},
        "version": about.get("version", "1.0.0"),
    }
    if "url" in about:
        values["url"] = about["url"]
    if "date_published" in about:
        values["datePublished"] = about["date_published"]
    return {
        **values,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "manifest",
                "name": path.name,
                "description": "One row per image.",
                "contentUrl": path.name,
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": "text/csv",
                "sha256": files.sha256(path),
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "images",
                "name": "images",
                "description": "The images with their patients, splits and labels.",
                "key": {"@id": "images/path"},
                "field": [_field(column, labels, columns.index(column)) for column in described],
            }
        ],
    }


def write(
    out: files.Path, manifest: files.Path, labels: Sequence[str], about: Mapping[str, str]
) -> dict[str, Any]:
    """Writes the `description` of a manifest to a file; returns it."""
    values = description(manifest, labels, about)
    files.write_json(out, values)
    return values


def beside(out: files.Path, manifest: files.Path) -> bool:
    """Returns whether readers find the manifest: it has to lie in the directory of the file."""
    return os.path.realpath(pathlib.Path(out).parent) == os.path.realpath(
        pathlib.Path(manifest).parent
    )


def _check_values(path: pathlib.Path, labels: Sequence[str]) -> None:
    """Raises a UserError for label values that are not those of a manifest."""
    table = pd.read_csv(path, usecols=list(labels), dtype=str, keep_default_na=False)
    for label in labels:
        for value in table[label].unique():
            if value not in _PLAIN:
                raise UserError(
                    f"{path}, column {quoted(label)}: {quoted(value)} is no value of a manifest's "
                    f"label; expected 1, 0, -1 or nothing. {_ADVICE}"
                )


def _field(column: str, labels: Sequence[str], number: int) -> dict[str, Any]:
    """Returns the description of a column; names of users are no part of its id."""
    if column in labels:
        kind, meaning = _INTEGER, _LABEL.format(column)
        identifier = f"images/label-{number}"
    else:
        kind, meaning = _COLUMNS[column]
        identifier = f"images/{column}"
    return {
        "@type": "cr:Field",
        "@id": identifier,
        "name": column,
        "description": meaning,
        "dataType": kind,
        "source": {"fileObject": {"@id": "manifest"}, "extract": {"column": column}},
    }
