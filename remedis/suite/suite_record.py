"""The file `suite.json` of a suite: its sets and arms.

The directory of a suite has the study of each set in `sets/NAME/`, and `judged.json` with the
images that judge any of them.
"""

import pathlib
from collections.abc import Mapping

from typing_extensions import TypedDict

from remedis import files, json_records
from remedis.json_records import Line, Name
from remedis.suite.settings import SuiteSettings

FILE = "suite.json"
JUDGED = "sets/*/judged.json"
_ADVICE = "remove it and run the same command again, which writes it"


class SetOfSuite(TypedDict):
    """A data set.

    Attributes:
      name: in the config.
      title: of its out-of-distribution data.
      directory: of its study, relative to the suite's.
      fault: why it was left out. None if it was not.
    """

    name: Name
    title: Line
    directory: Line
    fault: Line | None


class ArmOfSuite(TypedDict):
    """An arm.

    Attributes:
      name: in the config.
      checkpoint: the weights that it starts from.
    """

    name: Name
    checkpoint: Line


class SuiteRecord(TypedDict):
    """A suite.

    Attributes:
      title: of the leaderboard.
      sets: the data sets, in alphabetical order.
      arms: the arms, in the order of the config.
      baseline: name of the arm that the others are compared with in each study.
      modes: ways to adapt an arm.
    """

    title: Line
    sets: list[SetOfSuite]
    arms: list[ArmOfSuite]
    baseline: Name
    modes: list[Name]


def directory(name: str) -> str:
    """Returns the directory of the study of a set, relative to the suite's."""
    return f"sets/{name}"


def write(workdir: files.Path, settings: SuiteSettings, faults: Mapping[str, str]) -> None:
    """Writes `suite.json`, whole or not at all.

    Args:
      workdir: the suite's directory.
      settings: of the suite.
      faults: why sets are left out, by name.
    """
    record: SuiteRecord = {
        "title": settings.title,
        "sets": [
            {
                "name": name,
                "title": study.ood.name,
                "directory": directory(name),
                "fault": faults.get(name),
            }
            for name, study in settings.sets.items()
        ],
        "arms": [
            {"name": name, "checkpoint": checkpoint} for name, checkpoint in settings.arms.items()
        ],
        "baseline": settings.baseline,
        "modes": list(settings.modes),
    }
    files.write_json(pathlib.Path(workdir, FILE), record)


def read(workdir: files.Path) -> SuiteRecord:
    """Returns the `suite.json` in a directory.

    Raises:
      UserError: the file is damaged.
      OSError: there is none.
    """
    return json_records.read(pathlib.Path(workdir, FILE), SuiteRecord, _ADVICE)
