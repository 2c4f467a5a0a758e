"""Names for files that leave the machine: the last part of a path, and no folder above it.

A table `manifest.csv` is named with its own folder, `klinik/manifest.csv`: by its last part alone,
the data of two hospitals would have one name.

The folders of a path name users, hospitals, projects and sometimes patients. An export holds base
names; `environment.json` of the run that wrote it has the command in full. A page of results keeps
relative paths, with which its command can be run again.
"""

import ast
import contextlib
import os
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

_SEPARATOR = re.compile(r"[/\\]")
_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:[/\\]")
# Separators of the parts of a value, such as `csv=/a; chestxray14=/b` or `("one", "two")`; other
# commas and semicolons may be part of the name of a folder.
_PARTS = re.compile(r"([;,]\s*)(?=[\"'(]|[\w.-]+[=:])")
# The folder of a user: its name is that of a person.
_HOME = re.compile(r"(?:[A-Za-z]:)?[/\\](?:home|Users)[/\\][^/\\]+[/\\]?|/root", re.IGNORECASE)
# A call of the public API, as `remedis.invocation` writes it: texts and names of types.
_TEXT = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
_CALL = re.compile(rf"remedis\.\w+\((?:(?:{_TEXT}|\w+)(?:, (?!\))|(?=\))))*\)")
_TABLE = "manifest.csv"  # the usual name of a table, which says nothing
# Words before a path, such as `csv=`, `bit:` or `keras:DenseNet121:`.
_PREFIX = re.compile(r"[(\"'\s]*(?:[\w.-]+[=:])*")


def base_name(path: str) -> str:
    """Returns the last part of a path, `~` for the folder of a user; other text as it is.

    `manifest.csv` keeps the name of its folder, unless that is the folder of a user.
    """
    if not _SEPARATOR.search(path):
        return path
    if _is_home(path):
        return "~"
    parts = [part for part in _SEPARATOR.split(path) if part]
    if parts[-1:] == [_TABLE] and len(parts) > 1:
        folder = parts[-2]
        nameless = not folder.strip(".") or folder.startswith("~") or folder.endswith(":")
        if not nameless and not _is_home(path[: path.rindex(_TABLE)]):
            return f"{folder}/{_TABLE}"
    return parts[-1] if parts else path


def _is_home(path: str) -> bool:
    own = os.path.abspath(os.path.expanduser("~"))
    return os.path.abspath(path) == own or bool(_HOME.fullmatch(os.path.normpath(path)))


def of_absolute(path: str) -> str:
    """Returns the last part of an absolute path; a relative path and other text as it is."""
    return base_name(path) if _ABSOLUTE.match(path) else path


def command(line: str, keep_relative: bool = False) -> str:
    """Returns a command line with base names in place of paths, also within options.

    A call such as `remedis.build('NAME', 'random:0')` has them in its texts. Of a line that is not
    valid shell syntax, only the first word is kept.

    Args:
      line: the command line.
      keep_relative: leave relative paths as they are.
    """
    name = of_absolute if keep_relative else base_name
    if _CALL.fullmatch(line):
        with contextlib.suppress(ValueError, SyntaxError):  # an escape that Python does not have
            return re.sub(_TEXT, lambda text: repr(_word(ast.literal_eval(text[0]), name)), line)
    try:
        words = shlex.split(line)
    except ValueError:
        return name(line.split()[0])
    return shlex.join(_word(word, name) for word in words)


def setting(text: str) -> str:
    """Returns a value of a config with base names in place of paths, also of several."""
    return _word(text, base_name)


def data_names(values: Any) -> Any:
    """Returns nested values with base names in place of paths under every key `data`."""
    if isinstance(values, Mapping):
        return {
            key: base_name(value) if key == "data" and isinstance(value, str) else data_names(value)
            for key, value in values.items()
        }
    return values


def _word(word: str, name: Callable[[str], str]) -> str:
    if not _SEPARATOR.search(word):
        return word
    option, sign, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return option + sign + "".join(_part(part, name) for part in _PARTS.split(value))


def _part(part: str, name: Callable[[str], str]) -> str:
    prefix = _PREFIX.match(part)
    assert prefix is not None  # it may be empty
    return prefix[0] + name(part[prefix.end() :])
