"""What a pretraining must not see: listed images, and those that runs and studies are judged on."""

import dataclasses
import pathlib

import ml_collections
import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files
from remedis.data.checks import scan
from remedis.data.manifest import Manifest
from remedis.data.tables import spreadsheet
from remedis.errors import UserError
from remedis.finetuning import data, rehearsal
from remedis.label_budget import data as budget_data
from remedis.label_budget import rehearsal as study_rehearsal
from remedis.label_budget.directory import FREE, StudyDirectory
from remedis.options import items
from remedis.pretraining import collect
from remedis.training.run_directory import RunDirectory

_EXPECTED = (
    "expected CSV files with a column 'path' or 'patient_id', and directories of runs or studies"
)


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Images and patients that must not be seen.

    Attributes:
      name: what the config calls them.
      directory: where their data lie.
      hashes: SHA-256 of the images, as `scan` finds them.
      patients: ids, of which those of other data may be the same by chance.
    """

    name: str
    directory: pathlib.Path
    hashes: frozenset[str] = frozenset()
    patients: frozenset[str] = frozenset()

    def knows(self, root: pathlib.Path) -> bool:
        """Returns whether the patients are those of the data under `root`."""
        return self.directory.resolve().is_relative_to(root.resolve())

    def among(self, images: Manifest, hashes: "pd.Series[str]") -> npt.NDArray[np.bool_]:
        """Returns which of some images these are, or are of their patients; [rows].

        Args:
          images: of any data.
          hashes: of their files, by path.
        """
        table = images.table
        found = table["path"].map(hashes).isin(self.hashes)
        patients = set(table["patient_id"][found].dropna())
        if self.knows(images.root):
            patients |= self.patients
        return np.asarray(found | table["patient_id"].isin(patients), dtype=bool)


def read(text: str, run: RunDirectory) -> list[LeftOut]:
    """Returns what `config.leave_out` names: `PATH; PATH; ...`.

    A CSV file lists images by `path`, relative to the file or absolute, or patients by
    `patient_id`, or both; every row counts. Of the directory of a fine-tuning run it is the images
    of validation and test, of that of a study those of the in-distribution validation and test and
    of the out-of-distribution test. Their data are prepared again by the config found there, and
    nothing is written there; a study that has not run yet has one after `--list`.

    Args:
      text: the paths.
      run: of the pretraining, which remembers what was found of the images.

    Raises:
      UserError: a path is none of these, an image cannot be read, or data are not as they were.
    """
    found: list[LeftOut] = []
    for name in items(text):
        path = pathlib.Path(name)
        if path.is_dir():
            own = RunDirectory(run / "leave_out" / str(len(found)), {})
            found += _of_directory(name, path, own)
        elif path.is_file():
            found.append(_of_table(name, path, run))
        else:
            raise UserError(f"config.leave_out names {name}, which is not there; {_EXPECTED}.")
    return found


def _of_table(name: str, path: pathlib.Path, run: RunDirectory) -> LeftOut:
    table = spreadsheet.read_table(path)
    patients: frozenset[str] = frozenset()
    if "patient_id" in table:
        patients = frozenset(table["patient_id"]) - {""}
    if "path" not in table:
        if not patients:
            raise UserError(
                f"config.leave_out names {name}, which has the columns "
                f"{', '.join(map(str, table))}; {_EXPECTED}."
            )
        return LeftOut(name, path.parent, patients=patients)
    listed = collect.read_csv(path)
    hashes = scan.scan(listed, run / "scan.parquet").set_index("path")["sha256"]
    if lost := hashes[hashes.isna()].index.tolist():
        raise UserError(
            f"config.leave_out names {name}, of whose {len(listed):,} images {len(lost):,} cannot "
            f"be read and so not be recognised, the first {lost[0]!r}; mend its paths, which are "
            "absolute or relative to the file."
        )
    return LeftOut(name, path.parent, frozenset(hashes), patients)


def _of_directory(name: str, path: pathlib.Path, own: RunDirectory) -> list[LeftOut]:
    """Returns what a run or a study is judged on; `own` takes what is written on the way."""
    file = path / "config.json"
    found = files.read_json(file) if file.is_file() else {}
    if "ood_data_dir" in found:
        config = ml_collections.ConfigDict(dict.fromkeys(FREE) | found)
        if config.rehearsal:
            made = study_rehearsal.PAIRS[config.rehearsal](path / "rehearsal")
            config.id_data_dir = config.id_data_dir or str(made[0])
            config.ood_data_dir = config.ood_data_dir or str(made[1])
        print(f"Looking for what {name} is judged on.", flush=True)
        both = budget_data.prepare(config, StudyDirectory(own / "study", {}))
        inside = both.inside
        return [
            _left_out(name, inside.hashes, inside.validation, inside.test),
            _left_out(name, both.hashes, both.test),
        ]
    if "data_dir" in found:
        config = ml_collections.ConfigDict(found)
        if config.rehearsal and not config.data_dir:
            config.data_dir = str(rehearsal.LAYOUTS[config.rehearsal](path / "rehearsal" / "data"))
        print(f"Looking for what {name} is judged on.", flush=True)
        parts = data.prepare(config, own)
        return [_left_out(name, parts.hashes, parts.validation, parts.test)]
    raise UserError(
        f"config.leave_out names {name}, which is the directory of no run and no study; "
        f"{_EXPECTED}."
    )


def _left_out(name: str, hashes: "pd.Series[str]", *parts: Manifest) -> LeftOut:
    table = pd.concat([part.table for part in parts], ignore_index=True)
    patients = frozenset(table["patient_id"].dropna())
    return LeftOut(name, parts[0].root, frozenset(table["path"].map(hashes)), patients)
