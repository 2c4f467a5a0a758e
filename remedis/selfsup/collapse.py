"""Tells, in words, when a self-supervised training has collapsed.

A network that gives every image the same features makes some losses small and leaves others where
they are; neither is an error, and a run would go on to its end. What is looked at are the values of
`remedis.selfsup.watching`.
"""

from collections.abc import Mapping

LOOKS = 3  # in a row that must say so: one odd batch is no alarm

# Of `embedding_std`. It is sqrt(1 - mean cosine of two images) or less: at the start, behind a head
# without batch norm, cosines of 0.99 are usual and give 0.1; this is one above 0.9999.
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

ADVICE = "Lower config.learning_rate, lengthen config.warmup or enlarge config.batch_size."


class Collapse:
    """Remembers the last looks at a training, one every 10 steps or more often."""

    def __init__(self, batch_size: int, constant_loss: float) -> None:
        """Begins without a look.

        Args:
          batch_size: examples in a batch over all replicas.
          constant_loss: the method's `constant_loss` for it.
        """
        self._batch_size, self._constant_loss = batch_size, constant_loss
        self._spread, self._rank, self._chance = _Streak(LOOKS), _Streak(LOOKS), _Streak(1)
        self._first: int | None = None
        self._recent: list[tuple[int, float, float]] = []  # step, top-1, loss

    def look(self, step: int, values: Mapping[str, float]) -> str | None:
        """Returns what is wrong and what to do about it, as long as it lasts; None if nothing is.

        Args:
          step: that the values are of; more than at the last look.
          values: those of `watching.watched` and `loss`. One that is not finite is no collapse.
        """
        spread, rank = values["embedding_std"], values["effective_rank"]
        few = self._batch_size < FEWEST_ROWS
        constant = self._spread.since(step, spread < LEAST_SPREAD)
        line = self._rank.since(step, rank < LEAST_RANK and not few)
        lost = self._lost(step, values["instance_top1"], values["loss"])
        if constant is not None:
            return (
                f"Collapsed since step {constant}: every image gets nearly the same projection "
                f"(embedding_std is {spread:.2g}; expected about 1, and 0 is no difference at "
                f"all). {ADVICE}"
            )
        if line is not None:
            return (
                f"Collapsed since step {line}: the features of all images are the same or differ "
                f"in a single direction (effective_rank is {rank:.2f}; expected well above "
                f"{LEAST_RANK}). {ADVICE}"
            )
        return lost

    def _lost(self, step: int, top1: float, loss: float) -> str | None:
        """Looks at whether the network does no better than one that sees nothing."""
        self._first = step if self._first is None else self._first
        self._recent = [look for look in self._recent if look[0] >= step - CHANCE_STEPS]
        self._recent.append((step, top1, loss))
        steps, hits, losses = zip(*self._recent, strict=True)
        mean_top1, mean_loss = sum(hits) / len(hits), sum(losses) / len(losses)
        known = self._first <= step - CHANCE_STEPS and len(steps) >= LOOKS
        chance = 1 / self._batch_size
        blind = mean_top1 <= MOST_CHANCES * chance
        blind = blind and mean_loss >= LEAST_LOSS * self._constant_loss
        since = self._chance.since(steps[0], known and blind)
        if since is None:
            return None
        return (
            f"Collapsed since step {since}, or never learning: images are told apart as if by "
            f"chance (instance_top1 is {mean_top1:.2g}, chance {chance:.2g}) and the loss, "
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
