"""Tells, in words, when a self-supervised training has collapsed or diverged.

A network that gives every image the same features makes some losses small and leaves others where
they are; neither is an error, and a run would go on to its end. What is looked at are the loss and
the values of `remedis.pretraining.monitoring`.
"""

import dataclasses
from collections.abc import Mapping

LOOKS = 3  # in a row that must say so: one odd batch is no alarm

# Of `embedding_std`, which is sqrt(1 - mean cosine of two images) or less: a cosine of 0.9999. With
# the loss of a constant network it is a collapse. Alone it is not: MoCo's projections, which have
# no batch norm, were seen as close as 0.003 at a smaller loss while features got better; steps that
# were 1,000 times too large brought them to 0.00004. The queue begins at random and keeps the loss
# below until it is full of new keys: a head that collapses alone is until then said to be close.
LEAST_SPREAD = 0.01

# Of `effective_rank`. Features of random networks, however alike, differ in more than 3 directions;
# 1 is a constant, or a single direction.
LEAST_RANK = 1.5
FEWEST_ROWS = 8  # below, the rank, which is less than the rows, says little

# Of `instance_top1`, in chances of 1 / N, and of the loss, in that of a constant network. A batch
# has few hits by chance, often none and often two: both are means over so many steps, which are
# those of a slow start too: a network that learns is past them.
MOST_CHANCES = 1.5
LEAST_LOSS = 0.99
CHANCE_STEPS = 35

# Of the loss, in that of the first look and in that of a constant network: above both it diverges
# (MoCo's first queue is easy, Barlow Twins' first correlations are large). In good runs by SGD it
# was seen to rise to 1.22 times that of a constant network, while features got better, before it
# fell. Steps that are far too large make it surer of wrong answers, not constant: with 1,000 times
# a good rate, 1.3 to 2 times.
MOST_OF_FIRST = 1.15
MOST_OF_CONSTANT = 1.28

ADVICE = "Lower config.learning_rate, lengthen config.warmup or enlarge config.batch_size."


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a look has found.

    Attributes:
      sentence: what is wrong, since when, and what to do about it.
      certain: whether nothing good can come of going on. A training that does no better than chance
        at telling images apart may be slow, its features getting better meanwhile.
    """

    sentence: str
    certain: bool = True

    @property
    def kind(self) -> str:
        """What is wrong, without its numbers."""
        return self.sentence.partition(" since ")[0]


class Collapse:
    """Remembers the looks at a training: one at step 1, then every 10 steps or more often.

    What it says follows from them alone: a run that goes on from a checkpoint shows it the looks
    that were logged.
    """

    def __init__(self, batch_size: int, constant_loss: float) -> None:
        """Begins without a look.

        Args:
          batch_size: examples in a batch over all replicas.
          constant_loss: the method's `constant_loss` for it.
        """
        self._batch_size, self._constant_loss = batch_size, constant_loss
        self._spread, self._rank, self._loss = _Streak(LOOKS), _Streak(LOOKS), _Streak(LOOKS)
        self._close = _Streak(LOOKS)
        self._chance = _Streak(1)
        self._first: tuple[int, float] | None = None  # step, loss
        self._recent: list[tuple[int, float, float]] = []  # step, top-1, loss

    def look(self, step: int, values: Mapping[str, float]) -> Finding | None:
        """Returns what is wrong, as long as it lasts; None if nothing is.

        Args:
          step: that the values are of; more than at the last look.
          values: those of `monitoring.monitored` and `loss`. One that is not finite is no collapse.
        """
        first = self._first = self._first or (step, values["loss"])
        blind = self._blind(first, step, values["instance_top1"], values["loss"])
        close = self._near(step, values["embedding_std"], values["loss"])
        said = [
            self._constant(step, values["embedding_std"], values["loss"]),
            self._one_line(step, values["effective_rank"]),
            self._diverged(first, step, values["loss"]),
        ]
        certain = next(filter(None, said), None)
        if certain is not None:
            return Finding(certain)
        uncertain = blind or close
        return None if uncertain is None else Finding(uncertain, certain=False)

    def _constant(self, step: int, spread: float, loss: float) -> str | None:
        """Looks at whether all projections are the same, and the loss that of such."""
        same = spread < LEAST_SPREAD and loss >= LEAST_LOSS * self._constant_loss
        since = self._spread.since(step, same)
        if since is None:
            return None
        return (
            f"Collapsed since step {since}: every image gets nearly the same projection "
            f"(embedding_std is {spread:.2g}; expected about 1, and 0 is no difference at all). "
            f"{ADVICE}"
        )

    def _near(self, step: int, spread: float, loss: float) -> str | None:
        """Looks at whether projections are nearly the same, though the loss is less than theirs."""
        near = spread < LEAST_SPREAD and loss < LEAST_LOSS * self._constant_loss
        since = self._close.since(step, near)
        if since is None:
            return None
        return (
            f"Close together since step {since}: the projections of all images are nearly the same "
            f"(embedding_std is {spread:.2g}), though the loss, {loss:.4g}, is less than the "
            f"{self._constant_loss:.4g} of a network that sees nothing: with a queue, new images "
            "may be told from old ones instead of one from another. Features may get better all "
            "the same; a probe (config.probe) tells."
        )

    def _one_line(self, step: int, rank: float) -> str | None:
        """Looks at whether all features are the same or on one line."""
        low = rank < LEAST_RANK and self._batch_size >= FEWEST_ROWS
        since = self._rank.since(step, low)
        if since is None:
            return None
        return (
            f"Collapsed since step {since}: the features of all images are the same, or differ in "
            f"a single direction (effective_rank is {rank:.2f}; expected well above {LEAST_RANK}). "
            f"{ADVICE}"
        )

    def _diverged(self, first: tuple[int, float], step: int, loss: float) -> str | None:
        """Looks at whether the loss has risen instead of fallen."""
        most = max(MOST_OF_FIRST * first[1], MOST_OF_CONSTANT * self._constant_loss)
        since = self._loss.since(step, loss > most)
        if since is None:
            return None
        return (
            f"Diverged since step {since}: the loss is {loss:.4g}, more than the {first[1]:.4g} of "
            f"step {first[0]} and than the {self._constant_loss:.4g} of a network that sees "
            f"nothing. {ADVICE}"
        )

    def _blind(self, first: tuple[int, float], step: int, top1: float, loss: float) -> str | None:
        """Looks at whether the network does no better than one that sees nothing."""
        self._recent = [look for look in self._recent if look[0] >= step - CHANCE_STEPS]
        self._recent.append((step, top1, loss))
        steps, hits, losses = zip(*self._recent, strict=True)
        mean_top1, mean_loss = sum(hits) / len(hits), sum(losses) / len(losses)
        chance = 1 / self._batch_size
        blind = (
            first[0] <= step - CHANCE_STEPS
            and len(steps) >= LOOKS
            and mean_top1 <= MOST_CHANCES * chance
            and mean_loss >= LEAST_LOSS * self._constant_loss
        )
        since = self._chance.since(steps[0], blind)
        if since is None:
            return None
        return (
            f"Not learning since step {since}, or slowly: images are told apart as if by chance "
            f"(instance_top1 is {mean_top1:.2g}, chance {chance:.2g}) and the loss, "
            f"{mean_loss:.4g}, is no less than that of a network that sees nothing, "
            f"{self._constant_loss:.4g}. {ADVICE}"
        )


class _Streak:
    """Counts looks in a row."""

    def __init__(self, looks: int) -> None:
        self._looks, self._count, self._since = looks, 0, 0

    def since(self, step: int, seen: bool) -> int | None:
        """Returns the first step of the looks in a row up to this one, if they are enough."""
        if not seen:
            self._count = 0
            return None
        if self._count == 0:
            self._since = step
        self._count += 1
        return self._since if self._count >= self._looks else None
