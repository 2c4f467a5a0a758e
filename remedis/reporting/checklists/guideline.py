"""A reporting guideline as data: its items, and which records of a run answer each."""

import dataclasses

from remedis.reporting.checklists.answers import Answer, Fact, together, write
from remedis.reporting.checklists.cited_records import Records

NOT_RECORDED = "The run has no record of it. Write what the item asks for: "


@dataclasses.dataclass(frozen=True)
class Item:
    """An item of a guideline.

    Attributes:
      id: number of the item as published, such as `12a`; of a label without numbers, a name.
      section: of the manuscript or the label.
      subject: what the item asks for, in our words.
      facts: functions that answer it from the records of a run.
      author: what the author must write in any case, in sentences; empty if a run may say all.
    """

    id: str
    section: str
    subject: str
    facts: tuple[Fact, ...] = ()
    author: str = ""

    def answer(self, records: Records) -> Answer:
        """Returns the answer for a run."""
        found = together(fact(records) for fact in self.facts)
        if self.author:
            found += write(self.author)
        return found if found.said or found.author else write(f"{NOT_RECORDED}{self.subject}")


@dataclasses.dataclass(frozen=True)
class Guideline:
    """A reporting guideline.

    Attributes:
      name: as `--for` takes it.
      title: its name and version.
      citation: the publication.
      numbering: where its item numbers and subjects were read.
      items: in the published order.
    """

    name: str
    title: str
    citation: str
    numbering: str
    items: tuple[Item, ...]
