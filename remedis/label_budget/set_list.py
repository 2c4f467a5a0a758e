"""The out-of-distribution (OOD) sets of a study, in files of its directory.

`judged.json` lists the images of all sets. `ood_sets.json` exists if there are several sets:

- `title`: of the study's report; empty for one made from the names of the sets;
- `sets`: for each set, the first one first, `name`, and `directory` of its `summary.json`, relative
  to the study's directory;
- `overlaps`: sentences on test images and patients that two sets have in common;
- `caveats`: those of the config.
"""

import dataclasses
import itertools
import logging
from collections.abc import Mapping, Sequence

from remedis import files
from remedis.data import judged_images
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory, further_directory

_LOG = logging.getLogger(__name__)

FILE = "ood_sets.json"


def write(
    run: StudyDirectory, sets: Mapping[str, StudyData], title: str, caveats: Sequence[str]
) -> None:
    """Writes both files, and warns of test sets that overlap.

    Args:
      run: the study's directory.
      sets: the data of each set by name, the first one first.
      title: of the study; may be empty.
      caveats: of the config.
    """
    (_, first), *further = sets.items()
    judged = list(first.judged)
    for name, data in further:
        outside = data.judged[-1]  # those before it are in distribution, and in `first`
        judged.append(dataclasses.replace(outside, split=f"ood/{name}/test"))
    judged_images.write(run.path, judged)
    if not further:
        (run / FILE).unlink(missing_ok=True)
        return
    overlaps = [
        sentence
        for one, other in itertools.combinations(sets, 2)
        for sentence in _overlaps(one, other, sets)
    ]
    for sentence in overlaps:
        _LOG.warning(sentence)
    directories = [".", *(further_directory(name) for name, _ in further)]
    files.write_json(
        run / FILE,
        {
            "title": title,
            "sets": [
                {"name": name, "directory": directory}
                for name, directory in zip(sets, directories, strict=True)
            ],
            "overlaps": overlaps,
            "caveats": list(caveats),
        },
    )


def _overlaps(one: str, other: str, sets: Mapping[str, StudyData]) -> list[str]:
    """Returns a sentence on test images and patients of both sets, if there are any.

    It is no leak, since no model of one set learns from the other. Ids are compared within one data
    set only.
    """
    here, there = sets[one].test_images, sets[other].test_images
    shared = {"images": len(here.hashes() & there.hashes())}
    if here.id_space == there.id_space:
        shared["patients"] = len(here.ids("patient_id") & there.ids("patient_id"))
    counts = [f"{count:,} {kind}" for kind, count in shared.items() if count]
    if not counts:
        return []
    return [
        f"The test sets of {one} and {other} have {' and '.join(counts)} in common: their results "
        "are not independent of each other."
    ]
