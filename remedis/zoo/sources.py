"""The kinds of source weights are read from: `bit:`, `release:`, `checkpoint:` and `random:`."""

from collections.abc import Callable, Mapping

from remedis.errors import UserError, unknown_choice
from remedis.models.architectures import Architecture
from remedis.zoo import bit_npz, random_weights, release, trained
from remedis.zoo.weights import Weights

READERS: Mapping[str, Callable[[str, Architecture], Weights]] = {
    "bit": bit_npz.read,
    "release": release.read,
    "checkpoint": trained.read,
    "random": random_weights.draw,
}


def parse(source: str) -> tuple[str, str]:
    """Returns scheme and argument of a source such as `bit:FILE.npz` or `random:SEED`.

    Raises:
      UserError: the scheme is unknown or the argument missing.
    """
    scheme, _, argument = source.partition(":")
    if scheme not in READERS:
        raise unknown_choice("source of weights", scheme, READERS)
    if not argument:
        raise UserError(f"{source!r} names nothing after the scheme; write {scheme}:... .")
    return scheme, argument


def read(source: str, architecture: Architecture) -> Weights:
    """Returns the weights of a source, checked against the architecture they are meant for.

    Raises:
      UserError: what is wrong with the source, naming the arrays at fault.
    """
    scheme, argument = parse(source)
    return READERS[scheme](argument, architecture)
