"""Answers to the items of a checklist: sentences with the fields that they state."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from remedis.reporting.checklists.cited_records import Field, Records
from remedis.zoo import markdown_text

# Text of ours in Markdown without numbers of a run, a field, or several of these.
Part = str | Field | Sequence["Part"]

RUN, PARTLY, AUTHOR = "answered from the run", "partly", "for the author"


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A paragraph or a table of Markdown, and where its numbers and names stand.

    Attributes:
      parts: texts of ours, and fields; every number and name of the run is a field.
      sources: places as the document names them. Each field that is no name stands at or below
        one of them.
      cites: fields that the words are about and do not contain.
    """

    parts: tuple[str | Field, ...]
    sources: tuple[str, ...]
    cites: tuple[Field, ...] = ()

    @property
    def text(self) -> str:
        """The paragraph in Markdown."""
        return "".join(part if isinstance(part, str) else part.shown for part in self.parts)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields among the parts."""
        return tuple(part for part in self.parts if isinstance(part, Field))


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a run says about an item, and what the author must add.

    Attributes:
      said: sentences that the run's records hold.
      author: what the author must write, each a sentence.
    """

    said: tuple[Sentence, ...] = ()
    author: tuple[str, ...] = ()

    def __add__(self, other: "Answer") -> "Answer":
        return Answer(self.said + other.said, self.author + other.author)

    @property
    def state(self) -> str:
        """`RUN`, `PARTLY` or `AUTHOR`."""
        if not self.said:
            return AUTHOR
        return PARTLY if self.author else RUN


Fact = Callable[[Records], Answer]


def say(
    *parts: Part | None, cites: Sequence[Field | None] = (), sources: Iterable[str] = ()
) -> Answer:
    """Returns an answer of one sentence; no answer if a part or a field is None.

    Args:
      *parts: texts and fields; None stands for a field that the run lacks.
      cites: fields that the words are about and do not contain, such as a setting that is off.
      sources: places that stand for all fields below them, as in `Sentence`; others are added.
    """
    if any(part is None for part in (*parts, *cites)):
        return Answer()
    flat = tuple(_flat(parts))
    cited = tuple(field for field in cites if field is not None)
    fields = [*(part for part in flat if isinstance(part, Field)), *cited]
    found = dict.fromkeys(sources)
    for place in (field.place for field in fields if not field.is_name):
        if not any(place.startswith(outer) for outer in found):
            found[place] = None
    found = found or dict.fromkeys(field.place for field in fields)
    return Answer((Sentence(flat, tuple(found), cited),))


def write(*sentences: str) -> Answer:
    """Returns an answer that only the author can give."""
    return Answer(author=sentences)


def together(answers: Iterable[Answer]) -> Answer:
    """Returns several answers as one; sentences that repeat stand once."""
    said: dict[str, Sentence] = {}
    author: dict[str, None] = {}
    for answer in answers:
        for sentence in answer.said:
            said.setdefault(sentence.text, sentence)
        author |= dict.fromkeys(answer.author)
    return Answer(tuple(said.values()), tuple(author))


def several(given: Iterable[Part], between: str = ", ") -> Part:
    """Returns parts as one, with a text between them."""
    parts: list[Part] = []
    for part in given:
        parts += [between, part] if parts else [part]
    return parts


def counted(field: Field | None, noun: str, plural: str = "") -> Part | None:
    """Returns a number with its noun, in the plural unless it is 1; None without a field."""
    if field is None:
        return None
    words = noun if field.value == 1 else plural or f"{noun}s"
    return [field, f" {words}"]


def table(
    header: Sequence[Part],
    rows: Iterable[Sequence[Part | None]],
    sources: Iterable[str],
    *caption: Part | None,
) -> Answer:
    """Returns an answer that is a table; None stands for an empty cell.

    Args:
      header: cells of the first row.
      rows: the other rows.
      sources: as for `say`.
      *caption: parts of the sentence above the table; no answer if one is None.
    """
    rule = markdown_text.row(*["---"] * len(header))
    return say(
        *caption,
        "\n\n" if caption else "",
        _row(header),
        f"\n{rule}\n",
        several((_row(cells) for cells in rows), between="\n"),
        sources=sources,
    )


def _row(cells: Sequence[Part | None]) -> Part:
    return ["| ", several(("" if cell is None else cell for cell in cells), between=" | "), " |"]


def name(file: str, *keys: str | int) -> Field:
    """Returns the last of the keys of a field as a field itself: the name of a label or a group."""
    return Field(file, keys, keys[-1], markdown_text.text(keys[-1]), is_name=True)


def estimate(records: Records, file: str, *keys: str | int) -> Part:
    """Returns a number with its interval, `0.812 (0.780 to 0.840)`, or why there is none."""
    value = records.field(file, *keys, "value")
    low, high = records.field(file, *keys, "low"), records.field(file, *keys, "high")
    if value is None or low is None or high is None:
        reason = records.field(file, *keys, "reason")
        return ["not estimable", [" (", reason, ")"] if reason else ""]
    return [value.decimals(3), " (", low.decimals(3), " to ", high.decimals(3), ")"]


def _flat(parts: Iterable[Part | None]) -> Iterable[str | Field]:
    for part in parts:
        if isinstance(part, str | Field):
            yield part
        elif part is not None:
            yield from _flat(part)
