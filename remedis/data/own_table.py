"""A user's own table read as a manifest: what each column and value becomes, and every problem.

What the user states is applied. What a parser of `tables.columns` reads is read. For the rest there
are guesses (`own_table_guesses`), which are marked as such. All problems are collected in one pass,
so that the table can be corrected once.
"""

import dataclasses
import difflib
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import canonical_ids, own_table_guesses, own_table_problems
from remedis.data.manifest import KNOWN, REQUIRED
from remedis.data.own_table_problems import LISTED, Problem, and_more, opt_out
from remedis.data.tables import columns, header, missing, spreadsheet, table_form
from remedis.data.tables.strings import STRING
from remedis.data.tables.table_form import TableForm
from remedis.errors import UserError, quoted, some

_TAKEN = (*REQUIRED, *KNOWN)


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A kind of columns of values: their parser, what it expects, and what a user may state."""

    parse: Callable[[str], object]
    expected: str
    meanings: tuple[str, ...] = ()
    guessed_as: str = ""


_KINDS = {
    "label": _Kind(columns.label, columns.LABELS_EXPECTED, table_form.LABELS, "label"),
    "split": _Kind(columns.split, columns.SPLITS_EXPECTED, table_form.SPLITS, "split"),
    "sex": _Kind(columns.sex, columns.SEXES_EXPECTED, table_form.SEXES, "sex"),
    "age": _Kind(columns.age, columns.AGES_EXPECTED),
    "mpp": _Kind(columns.mpp, columns.MPPS_EXPECTED),
}


@dataclasses.dataclass(frozen=True)
class ValueReading:
    """What one value of a column is read as, in how many rows, and whether that is a guess."""

    value: str
    meaning: str
    rows: int
    guessed: bool = False


@dataclasses.dataclass(frozen=True)
class ColumnReading:
    """What a column becomes, and whether that is a guess.

    Attributes:
      column: its name in the file.
      becomes: its name in the manifest.
      is_label: whether it is a label.
      guessed: whether its name or its being a label is a guess.
      values: the values that are not kept as they are.
      remark: on values that are too many to list.
    """

    column: str
    becomes: str
    is_label: bool = False
    guessed: bool = False
    values: tuple[ValueReading, ...] = ()
    remark: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class OwnTable:
    """A table read as a manifest.

    Attributes:
      path: of the file.
      images: the directory that paths start from.
      columns: those that become columns of a manifest or labels.
      kept: the other columns, which stay as they are.
      labels: names of the labels.
      form: how the table is read, with all guesses.
      prefix_is_guessed: whether the prefix of the paths in `form` is a guess.
      problems: all of them, serious ones first.
      table: one row per image, columns as a manifest's, as text.
    """

    path: pathlib.Path
    images: pathlib.Path
    columns: tuple[ColumnReading, ...]
    kept: tuple[str, ...]
    labels: tuple[str, ...]
    form: TableForm
    prefix_is_guessed: bool
    problems: tuple[Problem, ...]
    table: pd.DataFrame

    @property
    def has_guesses(self) -> bool:
        """Whether anything is a guess."""
        return self.prefix_is_guessed or any(
            column.guessed or any(value.guessed for value in column.values)
            for column in self.columns
        )

    @property
    def is_sound(self) -> bool:
        """Whether no problem is serious."""
        return not any(problem.is_serious for problem in self.problems)


def read(
    path: files.Path,
    form: TableForm = table_form.AS_FOUND,
    labels: Sequence[str] | None = None,
    images: files.Path | None = None,
    allow_missing_patient_ids: bool = False,
) -> OwnTable:
    """Reads a user's own table.

    Args:
      path: the file; see `spreadsheet.read_table`.
      form: what the user states about it.
      labels: names of the label columns, before or after renaming; guessed if None.
      images: the directory that relative paths start from; that of the file if not given.
      allow_missing_patient_ids: accept images without a patient.

    Raises:
      UserError: the file cannot be read as a table at all. All other problems are in the result.
    """
    path = pathlib.Path(path)
    text = spreadsheet.read_table(path, (), dataclasses.replace(form, columns={}, values={}))
    reader = _Reader(path, text, form, pathlib.Path(images or path.parent))
    return reader.read(labels, allow_missing_patient_ids)


def write(own: OwnTable, out: files.Path) -> None:
    """Writes the table as a manifest: UTF-8, commas, plain values.

    Paths are relative to the directory of the manifest if the images lie in it, else absolute.
    """
    directory = pathlib.Path(out).absolute().parent
    root = own.images.absolute()
    if root.is_relative_to(directory):
        inside = root.relative_to(directory)
        paths = [(inside / path).as_posix() for path in own.table["path"]]
    else:
        paths = [(root / path).as_posix() for path in own.table["path"]]
    with files.whole_file(out) as temporary:
        own.table.assign(path=paths).to_csv(temporary, index=False, encoding="utf-8")


class _Reader:
    """Collects columns and problems of one table."""

    def __init__(
        self, path: pathlib.Path, text: pd.DataFrame, form: TableForm, images: pathlib.Path
    ) -> None:
        self._path, self._text, self._form, self._images = path, text, form, images
        self._names = [str(name) for name in text]
        self._problems: list[Problem] = []
        self._guessed_values: dict[str, str] = {}
        self._prefix_is_guessed = False
        self._missing_words = ""  # in the column of patients

    def read(self, labels: Sequence[str] | None, allow_missing_patient_ids: bool) -> OwnTable:
        """Returns the table read; see `own_table.read`."""
        stated = self._stated_columns()
        guessed = self._guessed_roles(stated, allow_missing_patient_ids)
        self._drop_shared_studies(stated | guessed, guessed)
        name_of = {name: name for name in self._names} | stated | guessed
        self._check_names(name_of)
        label_columns = self._label_columns(labels, name_of)
        readings, read = [], {}
        label_set = set(label_columns)
        for column, name in name_of.items():
            is_label = column in label_set
            if name not in _TAKEN and not is_label:
                continue
            is_guess = column in guessed or (is_label and labels is None)
            read[name], reading = self._column(column, name, is_label, is_guess)
            readings.append(reading)
        order = {name: place for place, name in enumerate(_TAKEN)}
        readings.sort(key=lambda reading: order.get(reading.becomes, len(order)))
        kept = {name: self._text[c] for c, name in name_of.items() if name not in read}
        table = pd.DataFrame(
            {reading.becomes: read[reading.becomes] for reading in readings} | kept,
            index=self._text.index,
        )
        self._problems += own_table_problems.of_paths(table, self._images)
        self._problems += own_table_problems.of_patients(
            table, allow_missing_patient_ids, self._missing_words
        )
        for column in label_columns:
            self._problems += own_table_problems.of_label(table[name_of[column]])
        form = dataclasses.replace(
            self._form,
            columns=stated | guessed,
            values=dict(self._form.values) | self._guessed_values,
        )
        problems = sorted(self._problems, key=lambda problem: not problem.is_serious)
        return OwnTable(
            self._path,
            self._images,
            tuple(readings),
            tuple(kept),
            tuple(name_of[column] for column in label_columns),
            form,
            self._prefix_is_guessed,
            tuple(problems),
            table,
        )

    def _add(self, sentence: str, is_serious: bool = True) -> None:
        self._problems.append(Problem(sentence, is_serious))

    def _stated_columns(self) -> dict[str, str]:
        """Returns the stated names of columns that are there."""
        stated = {}
        for column, name in self._form.columns.items():
            if column in self._names:
                stated[column] = name
            else:
                self._add(f"There is no column {quoted(column)}{self._near(column)}.")
        return stated

    def _near(self, name: str) -> str:
        """Returns the end of a sentence about a column that is not there."""
        simple = {own_table_guesses.simplified(column): column for column in self._names}
        wanted = own_table_guesses.simplified(name)
        near = difflib.get_close_matches(wanted, list(simple), n=1, cutoff=0.6)
        if near:
            return f" (did you mean {quoted(simple[near[0]])}?)"
        return f"; {self._listed()}"

    def _listed(self) -> str:
        """Returns the end of a sentence that lists the columns."""
        return f"the columns are: {some(self._names, limit=header.LISTED)}"

    def _guessed_roles(
        self, stated: dict[str, str], allow_missing_patient_ids: bool
    ) -> dict[str, str]:
        """Returns the names that columns get by a guess; the path and the patient are needed."""
        taken = {*stated.values(), *(set(self._names) - set(stated))} & set(_TAKEN)
        free = self._text[[c for c in self._names if c not in stated and c not in _TAKEN]]
        guessed = {}
        found = own_table_guesses.roles(free, taken)
        for role, candidates in found.items():
            if len(candidates) == 1:
                guessed[candidates[0]] = role
                continue
            needed = role == "path" or (role == "patient_id" and not allow_missing_patient_ids)
            self._add(
                f"The columns {some([quoted(c) for c in candidates])} may each be the {role}; name "
                f"one: --column '{candidates[0]}={role}'.",
                is_serious=needed,
            )
        listed = self._listed()
        if "path" not in taken | set(found):
            self._add(f"No column is the path of an image; name it: --column NAME=path; {listed}.")
        if "patient_id" not in taken | set(found) and not allow_missing_patient_ids:
            self._add(
                "No column is the patient, and images of one person can be in training and in "
                f"test; name it: --column NAME=patient_id, {opt_out()}; {listed}."
            )
        return guessed

    def _drop_shared_studies(self, names: dict[str, str], guessed: dict[str, str]) -> None:
        """Drops the guess of a column of studies in which two patients share one, as with dates."""
        column_of = {name: name for name in self._names} | {n: c for c, n in names.items()}
        study, patient = column_of.get("study_id"), column_of.get("patient_id")
        if study in guessed and patient is not None:
            pairs = self._text.loc[self._text[study] != "", [study, patient]].drop_duplicates()
            if pairs[study].duplicated().any():
                del guessed[study]

    def _check_names(self, name_of: dict[str, str]) -> None:
        columns_of: dict[str, list[str]] = {}
        for column, name in name_of.items():
            columns_of.setdefault(name, []).append(column)
        for name, same in columns_of.items():
            if len(same) > 1:
                both = " and ".join(map(quoted, same))
                self._add(
                    f"The columns {both} would both be {name!r}; give one another name, such as "
                    f"--column '{name}={name}_before'."
                )
                for column in same[1:]:
                    del name_of[column]

    def _label_columns(self, labels: Sequence[str] | None, name_of: dict[str, str]) -> list[str]:
        """Returns the columns of the labels, as named in the file."""
        if labels is None:
            taken = [column for column, name in name_of.items() if name in _TAKEN]
            # A column that the user gives a new name is a label if no other is left.
            found = own_table_guesses.labels(self._text[list(name_of)], taken)
            if not found:
                self._add(
                    "No column has positive and negative values and no others; name the labels: "
                    f"--labels A,B; {self._listed()}."
                )
            return found
        column_of = {name: column for column, name in name_of.items()}
        found = []
        for label in labels:
            column = column_of.get(label, label)
            if column not in name_of:
                self._add(f"There is no label {label!r}{self._near(label)}.")
            elif name_of[column] in _TAKEN:
                self._add(f"{label!r} cannot be a label: it is the {name_of[column]}.")
            else:
                found.append(column)
        return list(dict.fromkeys(found))

    def _column(
        self, column: str, name: str, is_label: bool, is_guess: bool
    ) -> tuple[pd.Series, ColumnReading]:
        """Returns a column of a manifest as text, and how it was read."""
        values = self._text[column]
        reading = ColumnReading(column, name, is_label, is_guess)
        if name == "path":
            return self._paths(values, reading)
        if name in canonical_ids.COLUMNS:
            return self._ids(values, reading)
        kind = _KINDS.get("label" if is_label or name == "any_label" else name)
        if kind is None:
            return values, reading
        return self._values(values, kind, reading)

    def _paths(self, values: pd.Series, reading: ColumnReading) -> tuple[pd.Series, ColumnReading]:
        prefix = self._form.path_prefix
        if not prefix:
            prefix = own_table_guesses.path_prefix(values[values != ""].tolist(), self._images)
            self._prefix_is_guessed = bool(prefix)
            self._form = dataclasses.replace(self._form, path_prefix=prefix)
        paths = columns.paths(self._path, values, self._images, prefix)
        remark = f"without {quoted(prefix)} in front" if prefix else ""
        return paths, dataclasses.replace(reading, remark=remark)

    def _ids(self, values: pd.Series, reading: ColumnReading) -> tuple[pd.Series, ColumnReading]:
        try:
            ids = columns.ids(self._path, values)
        except UserError as error:
            self._add(str(error))
            ids = values.str.slice(stop=canonical_ids.MAX_CHARACTERS)
        if reading.becomes == "patient_id":
            self._missing_words = missing.remark(ids)
        ids = canonical_ids.column(ids).fillna("")
        remark = f"{ids[ids != ''].nunique():,} different"
        return ids, dataclasses.replace(reading, remark=remark)

    def _values(
        self, values: pd.Series, kind: _Kind, reading: ColumnReading
    ) -> tuple[pd.Series, ColumnReading]:
        codes, distinct = pd.factorize(values)
        counts = np.bincount(codes, minlength=len(distinct))
        stated = self._form.meaning(pd.Series(distinct, dtype=STRING), kind.meanings)
        texts, bad, listed = [], [], []
        for i, (value, text) in enumerate(zip(distinct, stated, strict=True)):
            guess = None
            try:
                meaning = _plain(kind.parse(text))
            except (KeyError, ValueError):
                if kind.guessed_as:
                    guess = own_table_guesses.meaning(kind.guessed_as, text, distinct)
                meaning = guess or ""
                if guess is None or self._guessed_values.setdefault(value, guess) != guess:
                    bad.append(i)
            # Missing for what cannot be read, which is not the same as unknown.
            texts.append({"": None, "unknown": ""}.get(meaning, meaning))
            listed.append(ValueReading(value, meaning, int(counts[i]), guess is not None))
        if bad:
            self._add_bad(reading.column, values, codes, distinct, counts, bad, kind)
        if kind.parse in (columns.age, columns.mpp):
            pointed = columns.beside_commas(values)
            if pointed.any():
                value = f"{quoted(values[pointed].iloc[0])} ({and_more(values.index[pointed])})"
                self._add(
                    f"Column {quoted(reading.column)} has {value}; expected "
                    f"{columns.COMMA_EXPECTED}."
                )
            # Numbers are too many to list.
            known = [float(text) for text in texts if text]
            remark = f"{min(known):g} to {max(known):g}" if known else "none is known"
            reading = dataclasses.replace(reading, remark=remark)
        else:
            listed.sort(key=lambda value: -value.rows)
            reading = dataclasses.replace(reading, values=tuple(listed))
        return pd.Series(pd.array(texts, dtype=STRING)[codes], index=values.index), reading

    def _add_bad(
        self,
        column: str,
        values: pd.Series,
        codes: np.ndarray,
        distinct: pd.Index,
        counts: np.ndarray,
        bad: list[int],
        kind: _Kind,
    ) -> None:
        bad.sort(key=lambda i: -counts[i])
        described = [
            f"{quoted(distinct[i])} ({and_more(values.index[codes == i])})" for i in bad[:LISTED]
        ]
        advice = ""
        if kind.meanings:
            choices = ", ".join((*kind.meanings, table_form.UNKNOWN))
            advice = f"; correct them, or map each by --value '{distinct[bad[0]]}=...' ({choices})"
        self._add(
            f"Column {quoted(column)} has {some(described, len(bad), limit=LISTED)}; expected "
            f"{kind.expected}{advice}."
        )


def _plain(value: object) -> str:
    """Returns a parsed value as a manifest has it, with `unknown` for nothing."""
    if isinstance(value, float) and value == value:
        return f"{value:.10g}"
    return spreadsheet.shown(value) or "unknown"
