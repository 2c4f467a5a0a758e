"""The comparison with the baseline that a study states before its results are known."""

import dataclasses
from collections.abc import Collection, Sequence

from remedis.errors import UserError, unknown_choice
from remedis.evaluation.label_budget import Primary
from remedis.label_budget.budgets import Budget
from remedis.options import items

_EXPECTED = (
    "an arm, a mode, a budget and, if not all labels count, labels separated by '+', such as "
    "'remedis, finetune, 10%' or 'remedis, finetune, 10%, Edema+Fracture'"
)


@dataclasses.dataclass(frozen=True)
class StatedComparison:
    """The primary comparison as the config names it.

    Attributes:
      arm: name of an arm that is not the baseline.
      mode: method of adaptation.
      budget: as `config.budgets` names it, or its number of patients.
      labels: names; empty for all that are estimable.
    """

    arm: str
    mode: str
    budget: str
    labels: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, text: str, arms: Collection[str], baseline: str, modes: Collection[str]
    ) -> "StatedComparison | None":
        """Returns the comparison of a text such as `remedis, finetune, 10%`; None for no text.

        Args:
          text: `config.primary`.
          arms: names of the arms.
          baseline: name of the one that the others are compared with.
          modes: of the study.

        Raises:
          UserError: the text is not of that form, or names an arm or mode that is not compared.
        """
        parts = items(text, ",")
        if not parts:
            return None
        if len(parts) not in (3, 4):
            raise UserError(f"config.primary is {text!r}; expected {_EXPECTED}.")
        arm, mode, budget = parts[:3]
        others = [name for name in arms if name != baseline]
        if arm == baseline:
            raise UserError(
                f"config.primary names the baseline {arm!r}, with which the other arms are "
                f"compared; name one of {', '.join(others)}."
            )
        if arm not in others:
            raise unknown_choice("arm in config.primary", arm, others)
        if mode not in modes:
            raise unknown_choice("mode in config.primary", mode, modes)
        return cls(arm, mode, budget, tuple(items(parts[3], "+")) if len(parts) == 4 else ())

    def among(self, budgets: Sequence[Budget]) -> Primary:
        """Returns the comparison with its budget in patients.

        Args:
          budgets: all of the study, also those that are left out.

        Raises:
          UserError: the budget is not among them, or left out.
        """
        named = self.budget.replace(" ", "")
        for budget in budgets:
            if named in (budget.name.replace(" ", ""), str(budget.patients)):
                if budget.left_out:
                    raise UserError(
                        f"config.primary names the budget {self.budget}, which is left out: "
                        f"{budget.left_out}. Name a larger one."
                    )
                return Primary(self.arm, self.mode, budget.patients, self.labels)
        raise unknown_choice(
            "budget in config.primary", self.budget, [budget.name for budget in budgets]
        )
