"""The records of a run, and their fields as a document cites them."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remedis import files, json_records
from remedis.data.checks import leaks
from remedis.errors import UserError
from remedis.evaluation import predictions_file, results_record
from remedis.reporting import run_info
from remedis.reporting.run_info import PRETRAINING, STUDY
from remedis.training import run_directory
from remedis.zoo import licences, markdown_text, shared_names

if TYPE_CHECKING:
    import pandas as pd

EXPORT = "exported model"
# Files of a run. A field names its file by these.
CONFIG, ENVIRONMENT, LEAKS = "config.json", "environment.json", "leaks.json"
RESULTS, SUMMARY, DESCRIPTION = results_record.FILE, "summary.json", "remedis.json"
EXPORTED = f"export/{DESCRIPTION}"
PREDICTIONS = predictions_file.FILE

Keys = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class Field:
    """A value in a file of a run.

    Attributes:
      file: name of the file, below the run's directory.
      keys: of the value, from the outermost to the innermost.
      value: as the file has it.
      shown: the value as a document shows it, in Markdown.
      is_name: whether the value is the last of the keys, such as the name of a label.
    """

    file: str
    keys: Keys
    value: Any
    shown: str
    is_name: bool = False

    @property
    def place(self) -> str:
        """File and keys, such as `results.json: test.labels["a b"].value`."""
        return place(self.file, self.keys)

    def decimals(self, number: int) -> "Field":
        """Returns the field, a number, with so many decimals."""
        # Adding 0 makes 0 of a rounded -0.
        return dataclasses.replace(self, shown=f"{round(self.value, number) + 0.0:.{number}f}")

    def code(self) -> "Field":
        """Returns the field as a code span."""
        return dataclasses.replace(self, shown=markdown_text.code(self.value))

    def command(self) -> "Field":
        """Returns the field, a command line, as a code span without folders of absolute paths."""
        line = shared_names.command(self.value, keep_relative=True)
        return dataclasses.replace(self, shown=markdown_text.code(line))

    def base_name(self) -> "Field":
        """Returns the field, a path, without folders above its last part if it is absolute."""
        shown = shared_names.of_absolute(str(self.value))
        return dataclasses.replace(self, shown=markdown_text.text(shown))


def place(file: str, keys: Sequence[str | int]) -> str:
    """Returns a file and keys within it as one text; keys that are no words stand in brackets."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif re.fullmatch(r"[\w/]+", key):
            text += f".{key}" if text else key
        else:
            quoted = key.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return f"{file}: {text}" if text else file


@dataclasses.dataclass(frozen=True)
class Records:
    """The records of a run, an evaluation, a study or an exported model.

    Attributes:
      folder: its directory.
      kind: one of those of `run_info`, or `EXPORT`.
      contents: of the files that it has, by name.
    """

    folder: pathlib.Path
    kind: str
    contents: Mapping[str, Any]

    def field(self, file: str, *keys: str | int) -> Field | None:
        """Returns a field, or None if the file or one of the keys is missing, or null."""
        value: Any = self.contents.get(file)
        for key in keys:
            if isinstance(value, list):
                known = isinstance(key, int) and key < len(value)
            else:
                known = isinstance(value, Mapping) and key in value
            if not known:
                return None
            value = value[key]
        return None if value is None else Field(file, keys, value, shown(value))

    def filled(self, file: str, *keys: str | int) -> Field | None:
        """Returns a field, or None if it is missing, an empty text, an empty list or 0."""
        found = self.field(file, *keys)
        return found if found is not None and found.value else None

    def value(self, file: str, *keys: str | int) -> Any:
        """Returns the value of a field, or None if it is missing."""
        found = self.field(file, *keys)
        return None if found is None else found.value

    def each(self, file: str, *keys: str | int) -> Iterator[Field]:
        """Yields the values of a list or an object as fields; none if it is missing."""
        values = self.value(file, *keys)
        names: Sequence[str | int] = ()
        if isinstance(values, Mapping):
            names = list(values)
        elif isinstance(values, list):
            names = range(len(values))
        for name in names:
            if found := self.field(file, *keys, name):
                yield found

    @property
    def split(self) -> str:
        """The name of the split that is evaluated: `test`, if the run does not name another."""
        return str(self.value(RESULTS, "split") or "test")

    @property
    def evaluated(self) -> Mapping[str, Any]:
        """The evaluation of `split` in `results.json`; empty without one."""
        return self.value(RESULTS, self.split) or {}

    @property
    def labels(self) -> list[str]:
        """Names of the labels."""
        return list(
            self.evaluated.get("labels")
            or self.value(CONFIG, "labels")
            or self.value(SUMMARY, "labels")
            or self.value(DESCRIPTION, "labels")
            or ()
        )

    @property
    def made_up(self) -> Field | None:
        """The field that says that the data are made up; None for other data."""
        for file in (CONFIG, SUMMARY):
            if self.value(file, "rehearsal"):
                return self.field(file, "rehearsal")
        for file, key in ((RESULTS, "checkpoint"), (self.description, "provenance")):
            keys: Keys = (key,)
            while self.value(file, *keys):
                for i in range(len(self.value(file, *keys, "details", licences.DATA) or ())):
                    terms = self.field(file, *keys, "details", licences.DATA, i, "terms")
                    if terms is not None and terms.value == licences.MADE_UP:
                        return terms
                keys = (*keys, "parent")
        return None

    @property
    def description(self) -> str:
        """Name of the file that describes the exported model."""
        return DESCRIPTION if self.kind == EXPORT else EXPORTED

    def predictions(self) -> "pd.DataFrame | None":
        """Returns the table of predictions, of every split in it; None without the file.

        Raises:
          UserError: the file is damaged.
        """
        if not os.path.lexists(self.folder / PREDICTIONS):
            return None
        return predictions_file.read(self.folder)


def shown(value: Any) -> str:
    """Returns a value as Markdown: numbers with separators, names without markup."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return markdown_text.text(value)


def read(folder: files.Path) -> Records:
    """Returns the records of a finished run, an evaluation, a study or an exported classifier.

    Raises:
      UserError: the folder is none of these, is not finished, or one of its files is damaged.
    """
    run = pathlib.Path(folder)
    if os.path.lexists(run / DESCRIPTION) and not run_info.is_run(run):
        return _exported(run)
    if not run_info.is_run(run):
        raise UserError(
            f"{run} is no run: it has no config.json, results.json, summary.json or remedis.json; "
            "name the directory of a finished run, an evaluation, a study or an exported model."
        )
    contents: dict[str, Any] = {}
    if os.path.lexists(run / CONFIG):
        contents[CONFIG] = run_directory.read_config(run / CONFIG)
    kind, results = run_info.kind_and_results(run)
    kind = STUDY if os.path.lexists(run / SUMMARY) else kind
    if kind == STUDY and os.path.lexists(run / SUMMARY):
        from remedis.label_budget import summary_record  # loads TensorFlow

        contents[SUMMARY] = summary_record.read(run)
    elif results:
        contents[RESULTS] = results
    else:
        raise UserError(
            f"{run} is not finished: it has no {SUMMARY if kind == STUDY else RESULTS} yet; run "
            "the same command again, which resumes it."
        )
    if environment := run_directory.read_environment(run):
        contents[ENVIRONMENT] = environment
    # A pretraining has another receipt: its images have no labels and are not judged.
    if kind != PRETRAINING and os.path.lexists(run / LEAKS):
        contents[LEAKS] = leaks.read_receipt(run / LEAKS)
    if os.path.lexists(run / EXPORTED):
        contents[EXPORTED] = _description(run / EXPORTED)
    return Records(run, kind, contents)


def _exported(folder: pathlib.Path) -> Records:
    """Returns the records of an exported classifier.

    Raises:
      UserError: it is a backbone, or its description is damaged.
    """
    description = _description(folder / DESCRIPTION)
    if description["kind"] != "classifier":
        raise UserError(
            f"{folder} is a backbone, not a trained classifier: a checklist is about a run that "
            "trained or tested one; name that run."
        )
    return Records(folder, EXPORT, {DESCRIPTION: description})


def _description(file: pathlib.Path) -> dict[str, Any]:
    from remedis.zoo.export import DescriptionRecord  # loads TensorFlow

    values: Any = json_records.read(file, DescriptionRecord, "build the folder again")
    return dict(values)
