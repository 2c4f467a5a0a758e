"""The form of a table as its owner states it: separator, encoding, names of columns and values."""

import codecs
import collections
import dataclasses
from collections.abc import Mapping

import pandas as pd

from remedis.data.tables.strings import STRING
from remedis.errors import UserError, quoted, unknown_choice
from remedis.options import quoted_pairs

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
UNKNOWN = "unknown"
# What a value may be read as, by the kind of the columns that this concerns.
LABELS = ("1", "0", "-1")
SEXES = ("F", "M")
SPLITS = ("train", "validation", "test")
MEANINGS = (*LABELS, *SEXES, *SPLITS, UNKNOWN)

COLUMN_EXAMPLE = "COLUMN=NAME, such as 'Patient ID=patient_id'"
VALUE_EXAMPLE = "VALUE=MEANING, such as 'Ja=1' or 'unklar=-1'"


@dataclasses.dataclass(frozen=True)
class TableForm:
    r"""How to read a table; what is empty is found from the file.

    Attributes:
      separator: of the columns: `,`, `;`, a tab or `|`.
      encoding: of the text, as Python names it, such as `cp1250`.
      columns: the name of a manifest's column by the name in the file.
      values: one of `MEANINGS` by the text in the file, whose letter case does not matter. A value
        that means 1, 0 or -1 is read so in columns of labels only, F and M in that of sexes, names
        of splits in that of splits, and `unknown` in all of these.
      path_prefix: the beginning of the paths of images that is left out, such as `D:\Export`.

    Raises:
      UserError: a separator, an encoding or a meaning is unknown, two columns get the same name, or
        a value has two meanings.
    """

    separator: str = ""
    encoding: str = ""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    path_prefix: str = ""

    def __post_init__(self) -> None:
        if self.separator:
            object.__setattr__(self, "separator", _separator(self.separator))
        if self.encoding:
            _check_encoding(self.encoding)
        for name, times in collections.Counter(self.columns.values()).items():
            if times > 1:
                both = " and ".join(repr(c) for c, n in self.columns.items() if n == name)
                raise UserError(f"The columns {both} are both named {name!r}; name one of them so.")
        meanings: dict[str, str] = {}
        for value, meaning in self.values.items():
            if meaning not in MEANINGS:
                raise UserError(
                    f"The value {quoted(value)} means {quoted(meaning)}; expected one of "
                    f"{', '.join(MEANINGS)}."
                )
            if meanings.setdefault(value.casefold(), meaning) != meaning:
                raise UserError(
                    f"The value {value!r} means {meanings[value.casefold()]} and {meaning}; write "
                    "one meaning per value (upper and lower case are the same value)."
                )

    @classmethod
    def of_texts(
        cls,
        columns: str = "",
        values: str = "",
        separator: str = "",
        encoding: str = "",
        path_prefix: str = "",
    ) -> "TableForm":
        """Returns the form that options of a source state.

        Args:
          columns: such as `Patient ID=patient_id; Datei=path`; a name with a semicolon stands in
            double quotes.
          values: such as `Ja=1; Nein=0; unklar=-1`.
          separator: of the columns, or its name: comma, semicolon, tab, pipe.
          encoding: of the text.
          path_prefix: as the attribute.

        Raises:
          UserError: a text is not of this form, or as `TableForm`.
        """
        return cls(
            separator,
            encoding,
            quoted_pairs(columns, what="columns", expected=COLUMN_EXAMPLE),
            quoted_pairs(values, what="values", expected=VALUE_EXAMPLE),
            path_prefix,
        )

    def meaning(self, values: pd.Series, kind: tuple[str, ...]) -> pd.Series:
        """Returns a column of strings with the texts that the form states put into plain ones.

        Args:
          values: a column of `read_table`.
          kind: the meanings that concern the column: `LABELS`, `SEXES` or `SPLITS`.
        """
        stated = {
            value.casefold(): "" if meaning == UNKNOWN else meaning
            for value, meaning in self.values.items()
            if meaning in (*kind, UNKNOWN)
        }
        if not stated:
            return values
        distinct = values.unique()
        plain = {text: stated.get(text.casefold(), text) for text in distinct}
        return values.map(plain).astype(STRING)


AS_FOUND = TableForm()


def _separator(text: str) -> str:
    """Returns the separator that a user names or writes."""
    by_name = {name: mark for mark, name in SEPARATORS.items()} | {"\\t": "\t"}
    if text in SEPARATORS:
        return text
    if text.lower() not in by_name:
        raise unknown_choice("separator", text, SEPARATORS.values())
    return by_name[text.lower()]


def _check_encoding(name: str) -> None:
    try:
        "".encode(name)
        if name.lower() in ("idna", "punycode"):  # encodings of names, not of files
            raise LookupError
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError) as error:
        raise UserError(
            f"Unknown encoding {name!r}; expected a name such as utf-8, utf-16, cp1252, cp1250 or "
            "shift_jis."
        ) from error
