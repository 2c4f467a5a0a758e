"""The learning rates that untrained weights need, and the check that a training has such a rate."""

from collections.abc import Sequence

from remedis.finetuning.settings import OptimizationSettings
from remedis.training import schedules

# Rate and the batch that it is given for (0: it does not scale) of this project's recipes from
# random weights. sgd and adamw: the recipes "from scratch" of benchmarks/finetuning_recipes.py.
# lars: SimCLR as released, Chen et al. 2020, arXiv 2002.05709, section 2.3.
_LARS = (0.3, 256)
FROM_SCRATCH = {"sgd": (1.6, 512), "adamw": (0.001, 0), "lars": _LARS, "released_lars": _LARS}
# BiT's rate for pretrained weights, 0.003 at 512 images, is 533 times smaller than the recipe's.
# At a tenth of the recipe's, training is slower, but it does train.
SMALLEST_SHARE = 0.1


def fault(asked: OptimizationSettings, rates: Sequence[float]) -> str | None:
    """Returns why untrained weights would hardly train at any of some rates; None if they would.

    Args:
      asked: optimizer, batch size and scaling of the rates.
      rates: as in the config, at a batch of `learning_rate_batch`.
    """
    if asked.optimizer not in FROM_SCRATCH:
        return None  # an unknown optimizer has its own message
    recipe, batch = FROM_SCRATCH[asked.optimizer]
    per_step = [
        schedules.scaled(rate, asked.learning_rate_batch, asked.batch_size) for rate in rates
    ]
    wanted = schedules.scaled(recipe, batch, asked.batch_size)
    if max(per_step) >= SMALLEST_SHARE * wanted * (1 - 1e-9):  # rounding decides nothing
        return None
    own_units = wanted / schedules.scaled(1, asked.learning_rate_batch, asked.batch_size)
    return (
        f"its largest learning rate is {max(rates):g}, which is meant for pretrained weights; "
        f"random weights train by {asked.optimizer} at about {own_units:g}, and at no less than a "
        "tenth of it"
    )
