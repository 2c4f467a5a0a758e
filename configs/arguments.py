"""Arguments of configs: changes chosen by name, as in `chexpert:rehearsal,head_only`."""

from collections.abc import Callable, Collection, Mapping

import ml_collections

from remedis.errors import UserError, unknown_choice
from remedis.options import items

Variant = Callable[[ml_collections.ConfigDict], None]


def locked(
    config: ml_collections.ConfigDict,
    arg: str | None,
    variants: Mapping[str, Variant],
    exclusive: Collection[Collection[str]] = (),
    defaults: Collection[str] = (),
) -> ml_collections.ConfigDict:
    """Returns the config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: names of variants, `a` or `a,b` in any order; nothing for the config as it is.
      variants: changes by name. They are applied in this order, not in that of `arg`: the last one,
        `rehearsal`, overrides the others.
      exclusive: groups of names; `arg` may have at most one name per group.
      defaults: names that apply unless `arg` has another name of the same group.

    Raises:
      UserError: `arg` has a name that is not among the variants, or two of one group.
    """
    asked = set()
    for name in items(arg or "", ","):
        if name not in variants:
            raise unknown_choice("config argument", name, variants)
        asked.add(name)
    for group in exclusive:
        chosen = [name for name in variants if name in asked and name in group]
        if len(chosen) > 1:
            raise UserError(
                f"The config arguments {chosen[0]} and {chosen[1]} exclude each other: name one of "
                "them."
            )
        if not chosen:
            asked.update(name for name in defaults if name in group)
    for name, change in variants.items():
        if name in asked:
            change(config)
    return config.lock()
