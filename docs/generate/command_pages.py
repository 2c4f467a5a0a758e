"""The page on commands: options of every command and job, exit statuses, environment variables."""

import argparse
import ast
import importlib
import pathlib
import re
import signal
from collections.abc import Iterator
from typing import Any

from absl import flags

import remedis
from docs.generate import experiment_configs, markdown
from remedis import cli, interruption
from remedis.cli import exit_status, jobs, manifest_command

# Variables that the package reads or sets; `variables_read` finds their names in its source.
VARIABLES = {
    "TF_CPP_MIN_LOG_LEVEL": "Log lines of TensorFlow's libraries: 0 shows all, 1 drops "
    "information, 2 warnings too, 3 errors too. 3 if it is not set.",
    "TF_CONFIG": "The workers of `config.distribution=multi_worker`, as TensorFlow defines it; "
    "needed there only.",
    "MLFLOW_DISABLE_TELEMETRY": "MLflow reports its use to its makers unless this is true; set to "
    "true before MLflow is imported, if it is not set.",
    "REMEDIS_IMAGE_FOLDER": "Folder below which an exported MLflow model may read image files that "
    "a request names; without it, such a request is refused.",
    "TF_CPU_ALLOCATOR_USE_BFC": "1 lets TensorFlow keep memory that a step has freed on a CPU; "
    "jobs set it to 1 if it is not set.",
    "TF_CPU_BFC_MEM_LIMIT_IN_MB": "Limit of that memory; jobs set it to 16,777,216 if it is not "
    "set, which is no limit in effect.",
}


def pages() -> dict[str, str | bytes]:
    """Returns the page."""
    text = [INTRODUCTION, markdown.table(("command", "what it does"), summaries())]
    text += ["## Options of every command", _table(cli.parser()), TABLES]
    for name, parser in commands().items():
        if name in cli.JOBS:
            text += job_section(name)
        else:
            text += command_section(name, parser)
    text += ["## Exit statuses", markdown.table(("status", "meaning"), statuses()), STATUSES]
    text += ["## Environment variables", markdown.table(("variable", "meaning"), variables())]
    return {"reference/commands.md": "\n\n".join(part.strip() for part in text if part) + "\n"}


def _subparsers() -> Any:
    (action,) = (
        action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return action


def commands() -> dict[str, argparse.ArgumentParser]:
    """Returns the parser of every command and job, by name, in the order of `remedis --help`."""
    return dict(_subparsers().choices)


def summaries() -> list[tuple[str, str]]:
    """Returns what every command does, as `remedis --help` says it."""
    return [
        (
            f"[`{choice.dest}`](#{choice.dest})",
            markdown.sentence(markdown.with_code(choice.help or "")),
        )
        for choice in _subparsers()._choices_actions
    ]


def command_section(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """Returns the section on a command.

    Raises:
      ValueError: an option has no meaning.
    """
    summary = parser.description or dict(_summaries_by_name())[name]
    positional = [_usage(action) for action in parser._actions if not action.option_strings]
    usage = " ".join(["remedis", name, *positional, "[OPTIONS]"])
    return [
        f"## {name} {{#{name}}}",
        _finished(markdown.sentence(markdown.with_code(summary))),
        markdown.fence(usage),
        _table(parser),
        _finished(markdown.with_code(parser.epilog or "")),
    ]


def _summaries_by_name() -> Iterator[tuple[str, str]]:
    for choice in _subparsers()._choices_actions:
        yield choice.dest, choice.help or ""


def _finished(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _usage(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    several = {"?": f"[{name}]", "+": f"{name} ...", "*": f"[{name} ...]"}
    return several.get(str(action.nargs), name)


def _table(parser: argparse.ArgumentParser) -> str:
    shared = {"help", "quiet", "verbose", "version"}
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        if action.dest in shared and parser.prog != "remedis":
            continue
        meaning, default = _meaning(action, parser.prog)
        rows.append((_written(action), default, meaning))
    return markdown.table(("option", "default", "meaning"), rows) if rows else ""


def _meaning(action: argparse.Action, program: str) -> tuple[str, str]:
    """Returns the meaning of an option and its default, which its help names at the end."""
    name = _written(action)
    text = (action.help or "").replace("%%", "%")
    if not text:
        raise ValueError(
            f"The option {name} of {program!r} has no meaning; write it as help=... where the "
            "option is added, in remedis/cli."
        )
    if not action.option_strings:
        return markdown.with_code(text), "" if action.nargs in ("?", "*") else "needed"
    default = action.default
    if getattr(action, "required", False):
        shown = "needed"
    elif action.nargs == 0 or default in (None, argparse.SUPPRESS, "", []):
        shown = ""
    else:
        shown = f"`{default}`"
    return markdown.with_code(text.removesuffix(f"; {default}")), shown


def _written(action: argparse.Action) -> str:
    """Returns an option with its value as one writes it, as code."""
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    longest = max(action.option_strings, key=len)
    value = action.metavar or action.dest.upper().replace("-", "_")
    return f"`{longest}`" if action.nargs == 0 else f"`{longest}={value}`"


def job_section(name: str) -> list[str]:
    """Returns the section on a job, from its flags.

    Raises:
      ValueError: a flag has no meaning.
    """
    module = importlib.import_module(f"remedis.cli.{cli.JOBS[name][0]}")
    job: jobs.Job = module.JOB
    values = jobs.own_flags(job)
    rows = [_flag_row(values[flag], name) for flag in values if flag not in ("quiet", "verbose")]
    if job.configured:
        configs = ", ".join(f"[`{one}`](configs/{one}.md)" for one in _configs_of(name))
        rows = [
            (
                "`--config=NAME_OR_FILE[:ARGUMENT]`",
                "needed",
                f"The experiment: {configs}, or yours",
            ),
            ("`--config.KEY=VALUE`", "", "Sets a [key of the config](configs.md)"),
            *rows,
        ]
    blocks = re.split(r"\n\s*\n", job.description.strip())
    described = [
        markdown.fence(block) if block.startswith("remedis ") else _for_the_site(block)
        for block in blocks
    ]
    table = markdown.table(("option", "default", "meaning"), rows)
    return [f"## {name} {{#{name}}}", *described, table]


def _for_the_site(text: str) -> str:
    """Returns prose of a job with a link where it names the docstrings of configs."""
    text = re.sub(r"\bdocstrings of the configs\b", "pages of the [configs](configs.md)", text)
    return re.sub(r"\b\w+_\*", r"`\g<0>`", text)


def _configs_of(name: str) -> list[str]:
    configs = experiment_configs.names()
    return [c for c in configs if experiment_configs.kind(experiment_configs.load(c)) == name]


def _flag_row(flag: flags.Flag, job: str) -> tuple[str, str, str]:
    if flag.help in ("", "(no help available)"):  # absl writes the latter
        raise ValueError(
            f"The option --{flag.name} of {job!r} has no meaning; write it in the definition of "
            f"the flag in remedis/cli/{cli.JOBS[job][0]}.py."
        )
    is_needed = flag.name in ("weights", "workdir")
    default = "needed" if is_needed else f"`{flag.default}`" if flag.default else ""
    name = f"--{flag.name}" if flag.boolean else f"--{flag.name}={_value(flag)}"
    # absl adds the choices to the beginning of a help, and a note on repetition to its end.
    meaning = re.sub(r"^<[^>]*>: |\.?;\s+repeat this option to.*$", "", flag.help)
    return f"`{name}`", default, markdown.with_code(meaning).removesuffix(".")


def _value(flag: flags.Flag) -> str:
    if isinstance(flag, flags.EnumFlag):
        return "|".join(flag.parser.enum_values)
    names = {"workdir": "DIR", "out": "DIR", "model": "NAME"}
    return names.get(flag.name, flag.name.upper())


def statuses() -> list[tuple[str, str]]:
    """Returns the exit statuses and their meanings."""
    table = {
        0: "The work is done. Warnings do not change it.",
        exit_status.MISTAKE: "Something must be corrected first: the command line, a file, rights "
        "or space. One line on standard error says what, where and what to do. (An error of the "
        "program itself has this status too, and a traceback.)",
        cli.UNWELL: "`doctor` has found errors in the data, or `manifest` in a table.",
        exit_status.INCOMPLETE: "The work is done, but some images cannot be read: "
        "`OUT.bad_images.csv` beside the output lists them, each with its fault.",
    }
    assert manifest_command.UNCONFIRMED == exit_status.MISTAKE
    rows = [(f"`{status}`", meaning) for status, meaning in table.items()]
    for number in sorted(interruption.SIGNALS):
        name = signal.Signals(number).name
        rows.append((f"`{interruption.Interrupted(number).status}`", f"Stopped by {name}."))
    return rows


def variables() -> list[tuple[str, str]]:
    """Returns the environment variables that the package reads, and their meanings.

    Raises:
      ValueError: a variable has no meaning, or is not read any more.
    """
    found = variables_read(pathlib.Path(remedis.__file__).parent)
    if wrong := found ^ set(VARIABLES):
        raise ValueError(
            f"The environment variable {sorted(wrong)[0]!r} is read in remedis/ or described in "
            "VARIABLES of docs/generate/command_pages.py, but not both; correct VARIABLES."
        )
    return [(f"`{name}`", meaning) for name, meaning in VARIABLES.items()]


def variables_read(package: pathlib.Path) -> set[str]:
    """Returns the names of environment variables in the source of a package.

    They are the strings, and the constants of the module, in `os.environ[...]`, `"..." in
    os.environ`, `os.environ.get(...)`, `os.environ.setdefault(...)` and `os.getenv(...)`.
    """
    found = set()
    for file in package.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        constants = dict(re.findall(r'^(\w+) = "(\w+)"$', text, re.MULTILINE))
        if "environ" not in text and "getenv" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            written = ast.unparse(node) if isinstance(node, ast.expr) else ""
            access = re.fullmatch(
                r"os\.(?:environ(?:\.\w+\(|\[)|getenv\()(.+?)(?:[,)\]].*)?", written, re.DOTALL
            ) or re.fullmatch(r"(.+?) (?:not )?in os\.environ", written, re.DOTALL)
            if access:
                name = access[1]
                found.add(constants[name] if name in constants else ast.literal_eval(name))
    return found


INTRODUCTION = """# Commands

What `remedis --help` and `remedis COMMAND --help` print. A value follows its option after `=` or a
space. Options may stand before and after the data.
"""

TABLES = """Commands that print tables take `--json`, for programs. They also write the report to a
file whose ending names the form, by `--out=FILE`, or by `--table=FILE` where `--out` is something
else: `.json` has all values, `.csv` the tables as rows, `.txt` and `.html` the report as printed.

In a checkout of the repository, the jobs are scripts, too: `python finetune/finetune.py
--config=configs/chexpert.py` is `remedis finetune --config=chexpert`, `finetune/ood_curves.py` is
`remedis ood-curves`, `pretrain/pretrain.py` is `remedis pretrain`, and `saved_models/build.py` is
`remedis build`.
"""

STATUSES = """A job that was stopped resumes from its last checkpoint when the same command is
started again. At a signal a training stops after the current step; a second signal ends it at once.
"""
