"""The part of a study that is finished, to be merged while other processes run the rest."""

import dataclasses

from remedis.errors import UserError, counted
from remedis.label_budget.study import Study, planned_cells
from remedis.options import spelled_argument


class Unfinished(UserError):
    """A study has nothing to merge yet."""


def finished_part(study: Study) -> tuple[Study, list[str]]:
    """Returns the study of the arms and modes whose cells are all finished at this moment.

    Arms are compared on the same budgets and seeds, so that an arm without all cells of a mode is
    left out of this mode. A mode is left out if the baseline lacks cells in it.

    Args:
      study: one out-of-distribution set.

    Returns:
      The study itself if it is finished, else one with fewer arms, modes and cells; and a sentence
      on each arm and mode that is left out.

    Raises:
      Unfinished: no mode has all cells of the baseline.
    """
    settings = study.settings
    finished = set(study.cells)
    missing: dict[tuple[str, str], int] = {}
    for cell in planned_cells(settings, study.budgets):
        if cell not in finished:
            missing[cell.arm, cell.mode] = missing.get((cell.arm, cell.mode), 0) + 1
    if not missing:
        return study, []
    modes = tuple(mode for mode in settings.modes if (settings.baseline, mode) not in missing)
    if not modes:
        raise Unfinished(
            f"{spelled_argument('workdir', study.run.path)} has nothing to merge yet: "
            f"{len(finished):,} of {study.cells.planned:,} cells are finished, and the baseline "
            f"{settings.baseline} has not all of its cells in any mode; start again when it has."
        )
    kept = dataclasses.replace(settings, modes=modes, unfinished=frozenset(missing))
    arms = {name: of for name, of in settings.arms.items() if kept.modes_of(name)}
    options = {name: of for name, of in settings.arm_options.items() if name in arms}
    kept = dataclasses.replace(kept, arms=arms, arm_options=options)
    left_out = [
        f"{arm} is left out of the mode {mode}: {counted(number, 'cell')} of it "
        f"{'is' if number == 1 else 'are'} not finished."
        for (arm, mode), number in missing.items()
        if mode in modes
    ]
    left_out += [
        f"The mode {mode} is left out: the baseline {settings.baseline} has not all of its cells."
        for mode in settings.modes
        if mode not in modes
    ]
    stated = settings.primary
    if stated and not (stated.arm in arms and stated.mode in kept.modes_of(stated.arm)):
        kept = dataclasses.replace(kept, primary=None)
        left_out.append("The primary comparison is left out, since its cells are not finished.")
    cells = [c for c in study.cells if c.arm in arms and c.mode in kept.modes_of(c.arm)]
    part = dataclasses.replace(study, settings=kept, cells=study.cells.part(cells))
    return part, [study.sentence(sentence) for sentence in left_out]
