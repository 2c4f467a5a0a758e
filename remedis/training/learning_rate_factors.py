"""Learning rates by variable: rules over names, of which the first match counts."""

import dataclasses
import difflib
import logging
import math
import re
from collections.abc import Iterable, Mapping

import keras

from remedis.errors import UserError, counted, some
from remedis.options import pairs

EXAMPLE = "'head/.*=10; block[12]/.*=0'"
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Multipliers:
    """Factors of the learning rate by name of the variable.

    Attributes:
      rules: patterns and their factors. A pattern must match the whole of a name
        (`re.fullmatch`); the first match gives the factor. A factor of 0 freezes.
    """

    rules: tuple[tuple[str, float], ...] = ()

    def factors(self, names: Iterable[str]) -> dict[str, float]:
        """Returns the factor of each variable; 1 where no rule matches.

        Raises:
          UserError: a rule matches no variable, or only variables that earlier rules match.
        """
        names = list(names)
        factors = dict.fromkeys(names, 1.0)
        for matched, (_, factor) in zip(self._matched(names), self.rules, strict=True):
            factors |= dict.fromkeys(matched, factor)
        return factors

    def log(self, names: Iterable[str]) -> list[str]:
        """Returns one line per rule that names the variables it applies to."""
        lines = []
        for matched, (pattern, factor) in zip(self._matched(list(names)), self.rules, strict=True):
            count = counted(len(matched), "variable")
            which = some(matched, limit=3)
            lines.append(f"Learning rate x {factor:g}, by {pattern!r}: {count}: {which}")
        return lines

    def _matched(self, names: list[str]) -> list[list[str]]:
        """Returns for each rule the names that it is the first to match."""
        left, matched = names, []
        for pattern, _ in self.rules:
            matches = [name for name in names if re.fullmatch(pattern, name)]
            first = [name for name in left if name in set(matches)]
            if not matches:
                raise UserError(_no_match(pattern, names))
            if not first:
                raise UserError(
                    f"config.learning_rates: every variable that {pattern!r} matches "
                    f"({some(matches)}) is matched by an earlier rule, and the first match counts: "
                    "move this rule forward or leave it out."
                )
            matched.append(first)
            left = [name for name in left if name not in set(first)]
        return matched


def parse(text: str) -> Multipliers:
    """Returns the rules in `config.learning_rates`: `PATTERN=FACTOR; PATTERN=FACTOR; ...`.

    Raises:
      UserError: a rule is not of that form, a pattern is no regular expression, or a factor is no
        number >= 0.
    """
    rules = []
    expected = f"a pattern, '=' and a factor, as in {EXAMPLE}"
    # Splits at the last '=', since a pattern may contain one.
    for pattern, factor in pairs(
        text, what="config.learning_rates", expected=expected, at_last=True
    ):
        rules.append((_checked(pattern), _number(factor, f"{pattern}={factor}")))
    return Multipliers(tuple(rules))


def factors_of_trained(
    text: str, variables: Mapping[str, keras.Variable], log_level: int = logging.INFO
) -> dict[str, float]:
    """Returns the factors of the variables that `config.learning_rates` does not freeze.

    Logs the matches of each rule, and the number of trained parameters.

    Args:
      text: `config.learning_rates`.
      variables: by name.
      log_level: of these lines.

    Raises:
      UserError: as `parse` and `Multipliers.factors`, or every variable is frozen.
    """
    rules = parse(text)
    for line in rules.log(variables):
        _LOG.log(log_level, line)
    factors = {name: factor for name, factor in rules.factors(variables).items() if factor}
    if not factors:
        raise UserError(
            f"config.learning_rates is {text!r}, which freezes every variable; leave some of them "
            "above 0."
        )
    parameters = sum(math.prod(variables[name].shape) for name in factors)
    _LOG.log(
        log_level,
        f"Training {counted(len(factors), 'variable')}, {counted(parameters, 'parameter')}.",
    )
    return factors


def _checked(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"config.learning_rates: {pattern!r} is not a regular expression ({error}); expected "
            f"one that matches whole names of variables, as in {EXAMPLE}."
        ) from error
    return pattern


def _number(text: str, rule: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UserError(
            f"config.learning_rates: the factor of {rule!r} is {text!r}; expected a number, 0 or "
            "more."
        )
    return value


def _no_match(pattern: str, names: list[str]) -> str:
    literal = re.sub(r"\W+$", "", pattern)
    near = difflib.get_close_matches(literal, names, n=3, cutoff=0.3) or names[:3]
    return (
        f"config.learning_rates: {pattern!r} matches no variable; expected a regular expression "
        f"that matches whole names, such as {', '.join(near)}."
    )
