"""Detection of a collapsed, diverged or blind self-supervised training, as sentences for the user.

A network that gives every image the same features makes some losses small and leaves others
unchanged. Neither is an error, so that a run would continue to its end. The detection uses the loss
and the values of `remedis.pretraining.monitoring`.
"""

import dataclasses
from collections.abc import Mapping

CHECKS = 3  # in a row that must agree: one unusual batch is no alarm

# Of `embedding_std`, which is at most sqrt(1 - mean cosine of two images): a cosine of 0.9999.
# Together with the loss of a constant network it means a collapse. Alone it does not: MoCo's
# projections, which have no batch norm, were measured as close as 0.003 at a smaller loss while
# features improved; steps that were 1,000 times too large brought them to 0.00004. MoCo's queue
# begins at random and keeps the loss below that of a constant network until it is full of new keys;
# until then, a collapse of the head alone is reported as projections that are close together.
MIN_SPREAD = 0.01

# Of `effective_rank`. Features of random networks, however similar, differ in more than 3
# directions; 1 is a constant, or a single direction.
MIN_RANK = 1.5
MIN_ROWS = 8  # per batch; the rank is below the number of rows, so fewer rows tell little

# Of `instance_top1` in multiples of chance, 1 / N, and of the loss in multiples of a constant
# network's. Chance gives few hits per batch, often none and often two, so both values are
# averaged over CHANCE_STEPS steps. By then a network that learns is also past a slow start.
MAX_CHANCES = 1.5
MIN_LOSS = 0.99
CHANCE_STEPS = 35

# Of the loss, in multiples of that of the first check and of a constant network's: a training that
# is above both diverges (MoCo's first queue is easy, Barlow Twins' first correlations are large).
# In good runs by SGD the loss was measured to rise to 1.22 times that of a constant network, while
# features improved, before it fell. Steps that are far too large make a network more confident of
# wrong answers, not constant: with 1,000 times a good rate the loss was 1.3 to 2 times as large.
MAX_OF_FIRST = 1.15
MAX_OF_CONSTANT = 1.28

ADVICE = "Lower config.learning_rate, lengthen config.warmup or enlarge config.batch_size."


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem of a training.

    Attributes:
      sentence: the problem, the step since which it is there, and what to do about it.
      certain: whether further training cannot solve it. A network that tells images apart no
        better than chance may only learn slowly, while its features improve.
    """

    sentence: str
    certain: bool = True

    @property
    def kind(self) -> str:
        """The problem, without its numbers."""
        return self.sentence.partition(" since ")[0]


class CollapseDetector:
    """Checks of a training: one at step 1, then one every 10 steps or more often.

    Findings follow from the checked values alone: a run that resumes from a checkpoint repeats the
    checks of the logged values.
    """

    def __init__(self, batch_size: int, constant_loss: float) -> None:
        """Begins without a check.

        Args:
          batch_size: number of examples per batch, over all replicas.
          constant_loss: the method's `constant_loss` of such a batch.
        """
        self._batch_size, self._constant_loss = batch_size, constant_loss
        self._constant, self._rank, self._loss = _Streak(CHECKS), _Streak(CHECKS), _Streak(CHECKS)
        self._close = _Streak(CHECKS)
        self._chance = _Streak(1)
        self._first: tuple[int, float] | None = None  # step, loss
        self._recent: list[tuple[int, float, float]] = []  # step, top-1, loss

    def check(self, step: int, values: Mapping[str, float]) -> Finding | None:
        """Returns the problem at a step, as long as it lasts; None if there is none.

        Args:
          step: number of the step, larger than at the last check.
          values: the values of `monitoring.monitored`, and `loss`. Values that are not finite are
            no collapse.
        """
        first = self._first = self._first or (step, values["loss"])
        spread, loss = values["embedding_std"], values["loss"]
        blind = self._check_chance(first, step, values["instance_top1"], loss)
        close = self._check_close(step, spread, loss)
        sentences = [
            self._check_constant(step, spread, loss),
            self._check_rank(step, values["effective_rank"]),
            self._check_diverged(first, step, loss),
        ]
        certain = next(filter(None, sentences), None)
        if certain is not None:
            return Finding(certain)
        uncertain = blind or close
        return None if uncertain is None else Finding(uncertain, certain=False)

    def _check_constant(self, step: int, spread: float, loss: float) -> str | None:
        """Checks whether all projections are equal, and the loss is that of equal projections."""
        equal = spread < MIN_SPREAD and loss >= MIN_LOSS * self._constant_loss
        since = self._constant.since(step, equal)
        if since is None:
            return None
        return (
            f"Collapsed since step {since}: every image gets nearly the same projection "
            f"(embedding_std is {spread:.2g}; expected about 1, and 0 is no difference at all). "
            f"{ADVICE}"
        )

    def _check_close(self, step: int, spread: float, loss: float) -> str | None:
        """Checks whether projections are nearly equal at a loss below that of equal projections."""
        close = spread < MIN_SPREAD and loss < MIN_LOSS * self._constant_loss
        since = self._close.since(step, close)
        if since is None:
            return None
        return (
            f"Close together since step {since}: the projections of all images are nearly the same "
            f"(embedding_std is {spread:.2g}), though the loss, {loss:.4g}, is less than the "
            f"{self._constant_loss:.4g} of a constant network: with a queue, the network may tell "
            "new images from old ones instead of one image from another. Features may improve "
            "nevertheless; a probe (config.probe) shows it."
        )

    def _check_rank(self, step: int, rank: float) -> str | None:
        """Checks whether all features are equal or on one line."""
        low = rank < MIN_RANK and self._batch_size >= MIN_ROWS
        since = self._rank.since(step, low)
        if since is None:
            return None
        return (
            f"Collapsed since step {since}: the features of all images are the same, or differ in "
            f"a single direction (effective_rank is {rank:.2f}; expected well above {MIN_RANK}). "
            f"{ADVICE}"
        )

    def _check_diverged(self, first: tuple[int, float], step: int, loss: float) -> str | None:
        """Checks whether the loss has risen instead of fallen."""
        limit = max(MAX_OF_FIRST * first[1], MAX_OF_CONSTANT * self._constant_loss)
        since = self._loss.since(step, loss > limit)
        if since is None:
            return None
        return (
            f"Diverged since step {since}: the loss is {loss:.4g}, more than the {first[1]:.4g} of "
            f"step {first[0]} and than the {self._constant_loss:.4g} of a constant network. "
            f"{ADVICE}"
        )

    def _check_chance(
        self, first: tuple[int, float], step: int, top1: float, loss: float
    ) -> str | None:
        """Checks whether the network does no better than a constant one."""
        self._recent = [check for check in self._recent if check[0] >= step - CHANCE_STEPS]
        self._recent.append((step, top1, loss))
        steps, hits, losses = zip(*self._recent, strict=True)
        mean_top1, mean_loss = sum(hits) / len(hits), sum(losses) / len(losses)
        chance = 1 / self._batch_size
        blind = (
            first[0] <= step - CHANCE_STEPS
            and len(steps) >= CHECKS
            and mean_top1 <= MAX_CHANCES * chance
            and mean_loss >= MIN_LOSS * self._constant_loss
        )
        since = self._chance.since(steps[0], blind)
        if since is None:
            return None
        return (
            f"Not learning since step {since}, or slowly: images are told apart as if by chance "
            f"(instance_top1 is {mean_top1:.2g}, chance {chance:.2g}) and the loss, "
            f"{mean_loss:.4g}, is no less than that of a constant network, "
            f"{self._constant_loss:.4g}. {ADVICE}"
        )


class _Streak:
    """A count of checks in a row that agree."""

    def __init__(self, checks: int) -> None:
        self._checks, self._count, self._since = checks, 0, 0

    def since(self, step: int, agrees: bool) -> int | None:
        """Returns the first step of the agreeing checks up to now, None if they are too few."""
        if not agrees:
            self._count = 0
            return None
        if self._count == 0:
            self._since = step
        self._count += 1
        return self._since if self._count >= self._checks else None
