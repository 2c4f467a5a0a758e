"""The config of a study that has several out-of-distribution (OOD) sets, as one config per set.

`config.ood`, `config.ood_name`, `config.ood_data_dir` and `config.ood_sites` are the first set.
`config.further_ood` names further ones with their directories; they have the keys of `config.ood`
except for those in `config.further_ood_options`.
"""

import re
from collections.abc import Mapping
from typing import Any

from remedis import options
from remedis.errors import UserError, unknown_choice

SITES = "sites"  # `config.ood_sites` of a further set
# A study has one value of these keys.
SHARED = ("labels", "image_size", "eval_preprocess", "head_norm")
# Names are those of folders: no separators, and nothing at the ends that file systems drop.
_NAME = re.compile(r"\w(?:[\w .-]*\w)?")
_EXPECTED_SETS = (
    "NAME=DIRECTORY, several separated by ';', such as 'hospital B=/data/b; hospital C=/data/c', "
    "names of letters, digits, spaces, '.', '_' and '-'"
)
_EXPECTED_OPTIONS = (
    "NAME: KEY=VALUE, KEY=VALUE, several separated by ';', such as 'centre 1: sites=1', with a "
    "value in quotes if it holds a comma or a semicolon"
)


def studies(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the config of a study of each further OOD set alone, by the name of the set.

    A set of a rehearsal may have an empty `ood_data_dir`: its images are made up.

    Args:
      config: plain values of a config as `configs.common_study.ood` makes it.

    Raises:
      UserError: `config.further_ood` or `config.further_ood_options` is not of its form, names no
        key of `config.ood`, or does not say where the images are.
    """
    directories = _directories(config["further_ood"])
    changes = options.values_by_name(
        config["further_ood_options"], what="config.further_ood_options", expected=_EXPECTED_OPTIONS
    )
    for name in changes:
        if name not in directories:
            if not config["rehearsal"]:
                raise UserError(
                    f"config.further_ood_options has keys of {name!r}, which config.further_ood "
                    f"does not name; add its directory: --config.further_ood='{name}=DIRECTORY'."
                )
            directories[name] = ""
    _check_names(directories, config["ood_name"])
    return {
        name: {
            **config,
            "title": config["title"] and f"{config['title']}: {name}",
            # One comparison is stated for a study; those in further sets are all adjusted.
            "primary": "",
            "further_ood": "",
            "further_ood_options": "",
            "ood_name": name,
            "ood_data_dir": directory,
            "ood_sites": str(changes.get(name, {}).get(SITES, "")),
            "ood": _side(config["ood"], name, changes.get(name, {})),
        }
        for name, directory in directories.items()
    }


def _directories(text: str) -> dict[str, str]:
    directories: dict[str, str] = {}
    for name, directory in options.pairs(text, what="config.further_ood", expected=_EXPECTED_SETS):
        if name in directories:
            raise UserError(
                f"config.further_ood names {name!r} twice; give each set a name of its own."
            )
        directories[name] = directory
    return directories


def _check_names(names: Mapping[str, Any], first: str) -> None:
    """Raises a UserError for a name that cannot be that of a folder, or for two that are alike."""
    seen = {first.casefold(): first}
    for name in names:
        if not _NAME.fullmatch(name):
            raise UserError(f"config.further_ood has {name!r}; expected {_EXPECTED_SETS}.")
        if name.casefold() in seen:
            raise UserError(
                f"config.further_ood names {name!r}, and there is {seen[name.casefold()]!r} "
                "already; names become folders, so let them differ in more than letter case."
            )
        seen[name.casefold()] = name


def _side(first: Mapping[str, Any], name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of `config.ood` for a further set."""
    own = set(first) - set(SHARED)
    side = dict(first)
    for key, value in changes.items():
        if key in SHARED:
            raise UserError(
                f"config.further_ood_options has {name}: {key}, of which a study has one value; "
                f"set config.{key}."
            )
        if key != SITES and key not in own:
            raise unknown_choice(
                f"key of {name!r} in config.further_ood_options", key, sorted({*own, SITES})
            )
        if key != SITES:
            side[key] = _like(first[key], value, f"{name}: {key}")
    return side


def _like(first: Any, value: Any, what: str) -> Any:
    """Returns a value in the type of the first set's; keys that are unset there are numbers."""
    if isinstance(first, str):
        return str(value)
    if isinstance(first, tuple | list):
        return value if isinstance(value, tuple | list) else (value,)
    if isinstance(first, float) and type(value) is int:
        return float(value)
    kinds = (int, float) if first is None else (type(first),)
    if value is not None and type(value) not in kinds:
        expected = "a number" if first is None else f"a value like that of config.ood, {first!r}"
        raise UserError(f"config.further_ood_options has {what}={value!r}; expected {expected}.")
    return value
