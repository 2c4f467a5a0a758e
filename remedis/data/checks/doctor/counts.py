"""Counts of a manifest and of its images, as tables of plain values."""

from typing import Any

import numpy as np
import pandas as pd

from remedis.data.checks import scan
from remedis.data.checks.doctor.diagnosis import Rows
from remedis.data.checks.pixel_measures import BINS
from remedis.data.manifest import ID_VALIDATION, SPLITS, UNASSIGNED, Manifest

UNKNOWN = "unknown"
_COUNTED = 20  # the most values of a column, or sizes, with a row of their own


def of_manifest(manifest: Manifest) -> dict[str, Rows]:
    """Returns `splits`, `labels` and, where known, `sex`, `view`, `site` and `age`."""
    counts = manifest.counts()[["images", "patients", "studies"]]
    tables: dict[str, Rows] = {"splits": _rows(counts.rename_axis("split").reset_index())}
    tables["labels"] = tuple(
        {"label": label, "split": split, **_label_counts(rows, label)}
        for label in manifest.labels
        for split, rows in _by_split(manifest)
    )
    for column in ("sex", "view", "site"):
        if column in manifest.table and manifest.table[column].notna().any():
            tables[column] = _values(manifest, column)
    if "age" in manifest.table and manifest.table["age"].notna().any():
        tables["age"] = tuple(
            {"split": split, **_ages(rows["age"])} for split, rows in _by_split(manifest)
        )
    return tables


def of_images(scanned: pd.DataFrame) -> dict[str, Rows]:
    """Returns `sizes`, `channels`, `bits` and `histogram` of readable images."""
    tables = {
        "sizes": _counted(scanned, ["width", "height"]),
        "channels": _counted(scanned.assign(looks=_looks(scanned)), ["channels", "looks"]),
        "bits": _counted(scanned, ["bits"]),
    }
    if len(scanned):
        shares = np.nanmean(scan.histograms(scanned), axis=0)
        tables["histogram"] = tuple(
            {"from": i / BINS, "to": (i + 1) / BINS, "share": round(float(share), 6)}
            for i, share in enumerate(shares)
        )
    return tables


def patients(table: pd.DataFrame, mask: pd.Series) -> int:
    """Returns the number of patients with an image in `mask`; each image without an id adds one."""
    ids = table["patient_id"][mask]
    return int(ids.nunique() + ids.isna().sum())


def _by_split(manifest: Manifest) -> list[tuple[str, pd.DataFrame]]:
    split = manifest.table["split"].fillna(UNASSIGNED)
    names = (*SPLITS, ID_VALIDATION, UNASSIGNED)
    return [(name, manifest.table[split == name]) for name in names if (split == name).any()]


def _label_counts(table: pd.DataFrame, label: str) -> dict[str, int]:
    values = table[label]
    return {
        "positive": int((values == 1).sum()),
        "negative": int((values == 0).sum()),
        "uncertain": int((values == -1).sum()),
        "unknown": int(values.isna().sum()),
        "positive_patients": patients(table, values == 1),
        "negative_patients": patients(table, values == 0),
    }


def _values(manifest: Manifest, column: str) -> Rows:
    values = manifest.table[column].astype(object).fillna(UNKNOWN)
    frequent = values.value_counts().index[:_COUNTED]
    if (others := values.nunique() - len(frequent)) > 0:
        values = values.where(values.isin(frequent), f"{others:,} others")
    split = manifest.table["split"].astype(object).fillna(UNASSIGNED)
    counts = pd.crosstab(values, split)[[name for name, _ in _by_split(manifest)]]
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    return _rows(counts.rename_axis(column).rename_axis(None, axis=1).reset_index())


def _ages(ages: pd.Series) -> dict[str, Any]:
    known = ages.dropna()
    described = {"known": len(known), "unknown": int(ages.isna().sum())}
    numbers = {"youngest": known.min(), "median": known.median(), "oldest": known.max()}
    return described | {k: round(float(v), 2) if len(known) else None for k, v in numbers.items()}


def _looks(scanned: pd.DataFrame) -> np.ndarray:
    return np.where(scanned["colour"].to_numpy(dtype=bool), "colour", "grey")


def _counted(scanned: pd.DataFrame, columns: list[str]) -> Rows:
    """Returns the number of images per combination of values, the most frequent first."""
    plain = scanned[columns].astype(object)
    sizes = plain.groupby(columns, dropna=False).size().sort_values(ascending=False, kind="stable")
    counts = sizes.rename("images").reset_index()
    rows = _rows(counts.head(_COUNTED))
    if rest := int(counts["images"].iloc[_COUNTED:].sum()):
        rows += ({**dict.fromkeys(columns, "other"), "images": rest},)
    return rows


def _rows(table: pd.DataFrame) -> Rows:
    return tuple(
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict(orient="records")
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else int(value)
