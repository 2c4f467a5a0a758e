"""The metric that a study is about: the mean AUROC of its labels, or the top-k accuracy."""

import dataclasses
import re

from remedis.errors import UserError
from remedis.models.tasks import MULTI_CLASS

AUROC_CHANCE = 0.5  # AUROC of scores that say nothing


@dataclasses.dataclass(frozen=True)
class StudyMetric:
    """A metric between 0 and 1.

    Attributes:
      top: k of the top-k accuracy of exclusive classes; None for the mean AUROC.
    """

    top: int | None = None

    @classmethod
    def parse(cls, text: str) -> "StudyMetric":
        """Returns the metric of a text such as `auroc` or `top_3_accuracy`.

        Raises:
          UserError: there is no such metric.
        """
        if text == "auroc":
            return cls()
        match = re.fullmatch(r"top_([1-9]\d*)_accuracy", text)
        if match is None:
            raise UserError(
                f"config.metric is {text!r}; expected auroc, or top_K_accuracy with a whole number "
                "K, such as top_1_accuracy or top_3_accuracy."
            )
        return cls(int(match[1]))

    @classmethod
    def from_title(cls, title: str) -> "StudyMetric":
        """Returns the metric with a title, as `metric` of `summary.json` has it."""
        match = re.fullmatch(r"top-(\d+) accuracy", title)
        return cls(int(match[1]) if match else None)

    @property
    def key(self) -> str:
        """Its name in configs and tables: `auroc` or `top_3_accuracy`."""
        return "auroc" if self.top is None else f"top_{self.top}_accuracy"

    @property
    def title(self) -> str:
        """Its name in `summary.json`: `mean AUROC` or `top-3 accuracy`."""
        return "mean AUROC" if self.top is None else self.name

    @property
    def name(self) -> str:
        """A word for one value: `AUROC` or `top-3 accuracy`."""
        return "AUROC" if self.top is None else f"top-{self.top} accuracy"

    @property
    def one(self) -> str:
        """The word with its article: `an AUROC` or `a top-3 accuracy`."""
        return f"{'an' if self.top is None else 'a'} {self.name}"

    @property
    def most_frequent(self) -> str:
        """For example `the 3 most frequent classes`: who names them always, scores chance."""
        return (
            "the most frequent class" if self.top == 1 else f"the {self.top} most frequent classes"
        )

    def check(self, task: str, classes: int) -> None:
        """Raises a UserError unless the metric distinguishes models of a task.

        Args:
          task: `multi_label` or `multi_class`.
          classes: number of labels.
        """
        if self.top is None:
            return
        if task != MULTI_CLASS:
            raise UserError(
                f"config.metric is {self.key} and config.task is {task}; the metric needs classes, "
                "exactly one of which is true: set config.task to multi_class, or config.metric to "
                "auroc."
            )
        if self.top >= classes:
            raise UserError(
                f"config.metric is {self.key} with {classes} classes in config.labels: the true "
                f"one is always among {self.top}; name a smaller number, such as "
                f"top_{max(1, classes // 2)}_accuracy."
            )


AUROC = StudyMetric()
