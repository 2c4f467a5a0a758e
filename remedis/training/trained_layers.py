"""Which layers of a network train, and how fast, in a word: `config.layers`.

`decaying` lowers the rate from the head down: that of a layer is 1 / 2.6 of that above it (Howard
and Ruder 2018, arXiv 1801.06146, section 3.2); here a layer is a block, as in BiT, whose blocks
have 3 to 36 units. `upper` trains the last two blocks and the head. Early layers hold what images
have in common (Yosinski et al. 2014, arXiv 1411.1792).
"""

from collections.abc import Collection

from remedis.errors import UserError, unknown_choice

ALL, DECAYING, UPPER = NAMES = ("all", "decaying", "upper")
DECAY = 1 / 2.6
_BLOCKS = ("block4", "block3", "block2", "block1", "root_block")  # from the head down


def check(layers: str, learning_rates: str) -> None:
    """Raises a UserError for an unknown name, or if `config.learning_rates` is set, too."""
    if layers not in NAMES:
        raise unknown_choice("value of config.layers", layers, NAMES)
    if layers != ALL and learning_rates:
        raise UserError(
            f"config.layers is {layers} and config.learning_rates is {learning_rates!r}, which "
            "both say how fast layers train; set one of them, and leave config.layers at all or "
            "config.learning_rates empty."
        )


def rules(layers: str, learning_rates: str, variables: Collection[str]) -> str:
    """Returns the rules of the learning rate, in the form of `config.learning_rates`.

    Args:
      layers: one of `NAMES`.
      learning_rates: `config.learning_rates`, taken for `all`.
      variables: names of the network's variables.

    Raises:
      UserError: as `check`, or the network has no blocks of BiT.
    """
    check(layers, learning_rates)
    if layers == ALL:
        return learning_rates
    if not all(any(name.startswith(f"{block}/") for name in variables) for block in _BLOCKS):
        raise UserError(
            f"config.layers is {layers}, which names the blocks of BiT, and the network of "
            "config.checkpoint has none; name its layers in config.learning_rates."
        )
    if layers == UPPER:
        return "(root_block|block1|block2)/.*=0"
    return "; ".join(f"{block}/.*={DECAY**power:.4g}" for power, block in enumerate(_BLOCKS, 1))
