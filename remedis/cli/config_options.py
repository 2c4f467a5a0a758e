"""Options `--config.KEY=VALUE` as ml_collections takes them: today's names, lists as literals."""

import contextlib
import re
from collections.abc import Sequence

from remedis.api import config_files
from remedis.options import RENAMED_KEYS, label_list, literal


def rename_options(arguments: Sequence[str]) -> list[str]:
    """Returns a command line in which old names of keys are replaced; warns of each."""
    old = "|".join(map(re.escape, RENAMED_KEYS))
    key = re.compile(rf"(--?(?:no)?{config_files.FLAG}\.)((?:\w+\.)*)({old})(=.*)?", re.DOTALL)
    renamed = []
    for argument in arguments:
        if match := key.fullmatch(argument):
            flag, within, name, value = match.groups()
            config_files.warn_of_old_key(within, name)
            argument = f"{flag}{within}{RENAMED_KEYS[name]}{value or ''}"
        renamed.append(argument)
    return renamed


def write_labels(arguments: Sequence[str]) -> list[str]:
    """Returns a command line in which lists of labels are Python literals.

    `--config.labels=Nodule,Mass` and `--config.labels='"Nodule, solid",Mass'` are allowed beside
    `--config.labels='("Nodule", "Mass")'`, the form of ml_collections; `stratify` is alike.

    Raises:
      UserError: a quote is not closed.
    """
    flag = re.compile(rf"--?{config_files.FLAG}\.(?:\w+\.)*(?:labels|stratify)")
    written = list(arguments)
    for i, argument in enumerate(written):
        name, sign, text = argument.partition("=")
        if not flag.fullmatch(name):
            continue
        if sign:
            written[i] = f"{name}={_literal(text, name)}"
        elif i + 1 < len(written):
            written[i + 1] = _literal(written[i + 1], name)
    return written


def _literal(text: str, name: str) -> str:
    with contextlib.suppress(ValueError):
        if isinstance(literal(text), str | tuple | list):
            return text
    # Not closed, as ml_collections will say.
    return text if text.lstrip()[:1] in ("(", "[") else repr(label_list(text, name))
