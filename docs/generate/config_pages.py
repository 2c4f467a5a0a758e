"""Pages on configs: every key with its meaning, and every config with what it sets."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import ml_collections

from configs import common, common_pretraining, common_study, common_suite
from docs.generate import config_keys, docstrings, experiment_configs, markdown
from remedis.api import config_files
from remedis.pretraining import methods
from remedis.zoo import resolve

# Per command: the module with the keys, the function that assigns them, and the config.
KINDS = {
    "finetune": ("common", "finetuning"),
    "pretrain": ("common_pretraining", "pretraining"),
    "ood-curves": ("common_study", "ood"),
    "suite": ("common_suite", "suite"),
}
TYPES = {
    bool: "True or False",
    int: "whole number",
    float: "number",
    str: "text",
    tuple: "tuple",
    ml_collections.ConfigDict: "keys of a part",
}
# Keys of a study that both sides share; their meanings are those of fine-tuning.
SHARED = ("labels", "image_size", "eval_preprocess", "head_norm")
# Where a reader of the site finds what a comment names by its place in the source.
LINKS = {
    "remedis/zoo/resolve.py": "the [forms of a checkpoint](#forms-of-a-checkpoint)",
    "remedis.data.sources": "[data sources](../data/index.md)",
    "remedis/pretraining/methods": "[their options](#options-of-the-methods)",
    "remedis/training/schedules.py": "`remedis/training/schedules.py`",
}


def pages() -> dict[str, str | bytes]:
    """Returns the page of keys and a page per config."""
    made: dict[str, str | bytes] = {
        f"reference/configs/{name}.md": page(name) for name in experiment_configs.names()
    }
    return {"reference/configs.md": keys_page(), **made}


def defaults(kind: str) -> ml_collections.ConfigDict:
    """Returns the config of a command with all keys at their defaults."""
    if kind == "finetune":
        return common.finetuning()
    if kind == "pretrain":
        return common_pretraining.pretraining()
    if kind == "suite":
        return common_suite.suite({})
    return common_study.ood(common.finetuning(), common.finetuning())


def keys_page() -> str:
    """Returns the page with every key of every kind of config."""
    rows = [
        (
            f"[`{name}`](configs/{name}.md)",
            f"`{experiment_configs.kind(experiment_configs.load(name))}`",
            markdown.sentence(experiment_configs.docstring(name).split("\n")[0]),
        )
        for name in experiment_configs.names()
    ]
    parts = [
        INTRODUCTION,
        markdown.table(("config", "command", "what it is"), rows),
        VALUES,
        *("\n\n".join(_keys(kind)) for kind in KINDS),
        *_checkpoints(),
        *_methods(),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _keys(kind: str) -> list[str]:
    """Returns the sections on the keys of one command."""
    module, function = KINDS[kind]
    file = config_files.folder() / f"{module}.py"
    groups = config_keys.groups(file.read_text(encoding="utf-8"), function, f"configs/{module}.py")
    config = defaults(kind)
    described = {key.name for group in groups for key in group.keys}
    if missing := [k for k in config if k not in described and k not in SHARED]:
        raise ValueError(
            f"configs/{module}.py: the key {missing[0]!r} has no meaning; assign it as "
            f"config.{missing[0]} = ... in {function}(), with a comment that says it."
        )
    parts = [f"## Keys of {kind}", ABOUT[kind].format(**_lists())]
    for group in groups:
        rows = [_row(key, config) for key in group.keys]
        parts += [f"### {group.title} {{#{kind}-{_anchor(group.title)}}}"]
        parts += [linked(group.text)] if group.text else []
        parts += [markdown.table(("key", "default", "type or choices", "meaning"), rows)]
    return parts


def _lists() -> dict[str, str]:
    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in names)

    return {
        "probe": listed(common_pretraining.PROBE),
        "study": listed(common_study.STUDY_SETS),
        "shared": listed(SHARED),
        "suite": listed(common_suite.SHARED),
    }


def _row(key: config_keys.Key, config: ml_collections.ConfigDict) -> tuple[str, ...]:
    value = config[key.name]
    is_part = isinstance(value, ml_collections.ConfigDict) and key.name != "splits"
    shown = "see below" if is_part else written(value)
    kind = "shares" if key.name == "splits" else TYPES[config.get_type(key.name)]
    if key.others:
        kind = ", ".join([written(value), *(_choice(other) for other in key.others)])
    meaning = markdown.sentence(linked(key.meaning)).removesuffix(".")
    return f"`{key.name}`", shown, kind, meaning


def _choice(other: str) -> str:
    """Returns a choice in code font; `empty` is a word, not a value."""
    return other if other == "empty" else f"`{other}`"


def _checkpoints() -> list[str]:
    """Returns the section on the forms of `config.checkpoint`."""
    _, _, body = (resolve.__doc__ or "").partition("\n")
    return [
        "## Forms of a checkpoint",
        "Every config, command and function that takes a checkpoint takes these forms.",
        body,
    ]


def _methods() -> list[str]:
    """Returns the section on `config.method_options`, from the methods' signatures.

    Raises:
      ValueError: an option has no meaning.
    """
    parts = [
        "## Options of the methods",
        "Of `remedis pretrain`, as in `--config.method_options='temperature=0.2; widths=(512, "
        "128)'`. Unset `widths` are those that the meaning gives; `channels` is the width of the "
        "backbone's embedding.",
    ]
    for name, method in methods.METHODS.items():
        meanings = docstrings.arguments(method.__init__)
        options = inspect.signature(method).parameters.values()
        rows = []
        for option in options:
            if option.kind != option.KEYWORD_ONLY:
                continue
            if option.name not in meanings:
                raise ValueError(
                    f"The option {option.name!r} of the method {name!r} has no meaning; write it "
                    f"under 'Args:' in the docstring of {method.__name__}.__init__."
                )
            meaning = markdown.sentence(meanings[option.name]).removesuffix(".")
            rows.append((f"`{option.name}`", written(option.default), meaning))
        summary = (inspect.getdoc(method) or "").split("\n\n")[0]
        parts += [f"### {name}", summary, markdown.table(("option", "default", "meaning"), rows)]
    return parts


def written(value: Any) -> str:
    """Returns a value as one writes it, as code; words for no value."""
    if value is None:
        return "not set"
    if value == "":
        return "empty"
    if isinstance(value, ml_collections.ConfigDict):
        value = value.to_dict()
    if isinstance(value, dict):
        value = ", ".join(f"{key}={share:g}" for key, share in value.items())
    return f"`{value}`"


def linked(text: str) -> str:
    """Returns a comment as Markdown: examples are code, places of the source are links."""
    for place, link in LINKS.items():
        text = text.replace(place, link)
    return markdown.with_code(text)


def page(name: str) -> str:
    """Returns the page of a config: its docstring, and the keys that it and its arguments set."""
    summary, _, body = experiment_configs.docstring(name).partition("\n")
    config = experiment_configs.load(name)
    kind = experiment_configs.kind(config)
    before, plain = _flat(defaults(kind)), _flat(config)
    parts = [
        f"# {name}",
        markdown.sentence(summary),
        markdown.prose(as_commands(body)),
        "## Keys that it sets",
        f"All others have the defaults of [the keys of {kind}](../configs.md#keys-of-{kind}).",
        _changes(before, plain),
        *_sets(config),
        "## Keys that its arguments set",
    ]
    for argument in experiment_configs.arguments(name):
        after = _flat(experiment_configs.load(f"{name}:{argument}"))
        parts += [f"### :{argument} {{#{argument}}}", _changes(plain, after)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _flat(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Returns the values of all keys; without those of the sets of a suite, which are studies."""
    values = experiment_configs.flat(config)
    return {key: value for key, value in values.items() if not key.startswith("sets.")}


def _sets(config: ml_collections.ConfigDict) -> list[str]:
    """Returns the section on the sets of a suite."""
    if "sets" not in config:
        return []
    rows = [
        (f"`{name}`", *(study[f"{key}_name"] or study[key].source for key in ("id", "ood")))
        for name, study in config.sets.items()
    ]
    return [
        "## Its sets",
        "Each has the keys of [its study](../configs.md#keys-of-ood-curves), written "
        "`config.sets.NAME.KEY`.",
        markdown.table(("set", "in distribution", "out of distribution"), rows),
    ]


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    changed = experiment_configs.changes(dict(before), dict(after))
    if not changed:
        return "None: it is the default."
    rows = [
        (f"`{key}`", written(before.get(key)), written(value)) for key, value in changed.items()
    ]
    return markdown.table(("key", "before", "value"), rows)


def as_commands(text: str) -> str:
    """Returns the text of a config with the commands of an installation, not of a checkout."""
    for script, command in (
        ("finetune/finetune.py", "finetune"),
        ("finetune/ood_curves.py", "ood-curves"),
        ("finetune/suite.py", "suite"),
        ("pretrain/pretrain.py", "pretrain"),
    ):
        text = text.replace(f"python {script}", f"remedis {command}")
        text = text.replace(f"`{script} ", f"`remedis {command} ")
    return re.sub(r"--config=configs/(\w+)\.py", r"--config=\1", text)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


INTRODUCTION = """# Configs

A config is one experiment: the data, the model and the training, as named values. Take one by its
name, add arguments behind a colon, and set single keys:

```sh
remedis finetune --config=chexpert:rehearsal --config.resamples=200 --workdir=runs/chexpert
```

A config of your own is a Python file with a function `get_config()`, named by its path:
`--config=my/experiment.py`. Copy one from the folder `configs`.
"""

VALUES = """## How values are written

| type | on the command line |
| --- | --- |
| True or False | `--config.head_norm=False` |
| number | `--config.learning_rate=0.003` |
| text | `--config.uncertain='zeros; Edema=ones'` |
| tuple | `--config.modes='("probe", "finetune")'`; labels also as `--config.labels=Edema,Mass` |
| key of a part | `--config.splits.test=0.3`, `--config.ood.batch_size=64` |

An unknown key and a value of another type are errors that name the nearest key and the type.
"""

ABOUT = {
    "finetune": "Of the configs that `remedis finetune` runs, and of each side of a study.",
    "pretrain": "Of the configs that `remedis pretrain` runs. The keys of `probe` are {probe}; "
    "their meanings and defaults are those of fine-tuning.",
    "ood-curves": "Of the configs that `remedis ood-curves` runs. `id` and `ood` have the keys of "
    "fine-tuning, except those that the study sets itself: {study}. Both sides share {shared}, "
    "which are keys of the study, too.",
    "suite": "Of the configs that `remedis suite` runs. A set, such as `sets.north`, has the keys "
    "of `ood-curves`. {suite} have one value in a suite, which holds for all sets.",
}
