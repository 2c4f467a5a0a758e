"""The names of `import remedis`: few, documented, loaded on first use, alike the commands."""

import argparse
import ast
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import remedis
from remedis import cli
from remedis.cli import build_job

ROOT = pathlib.Path(remedis.__file__).parent
FUNCTIONS = [n for n in remedis.__all__ if n[0].islower() and n not in ("synthetic",)]
FUNCTIONS = [name for name in FUNCTIONS if not name.startswith("_")]
CLASSES = [name for name in remedis.__all__ if name[0].isupper()]
HEAVY = {"tensorflow", "keras", "pandas", "numpy", "scipy", "rich", "absl", "ml_collections"}


def test_the_import_loads_no_other_package_and_few_modules_of_this_one():
    script = (
        "import sys, remedis; dir(remedis); "
        "print(*{name.partition('.')[0] for name in sys.modules}); "
        "print(sum(name.startswith('remedis') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded, ours = done.stdout.splitlines()
    assert not HEAVY & set(loaded.split())
    assert int(ours) < 8


def test_names_and_facts_need_no_tensorflow():
    script = (
        "import sys, remedis; "
        "print(remedis.describe(remedis.list_models()[0])['input']); "
        "print(remedis.load_config('chexpert:rehearsal', batch_size=8).batch_size); "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("name", remedis.__all__)
def test_every_name_is_what_type_checkers_and_the_api_page_see(name):
    found = getattr(remedis, name)
    assert name in dir(remedis)
    if name in remedis._LAZY:
        assert found.__module__ == remedis._LAZY[name]


def test_the_imports_of_type_checkers_are_the_lazy_ones():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {**remedis._LAZY, "synthetic": "remedis"}
    assert set(remedis.__all__) == {*imported, "UserError", "__version__"}
    assert remedis.__all__ == sorted(remedis.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'finetuning_'"):
        remedis.finetuning_  # noqa: B018


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_every_docstring_says_what_a_user_needs(name):
    found = getattr(remedis, name)
    text = inspect.getdoc(found)
    assert re.match(r"[^\n]{20,100}[.:]$", text.splitlines()[0]), text.splitlines()[0]
    if name in CLASSES:
        return
    parameters = inspect.signature(found).parameters.values()
    for parameter in parameters:
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        assert re.search(rf"^\s+{re.escape(stars + parameter.name)}: ", text, re.MULTILINE)
        assert parameter.annotation is not parameter.empty
    if parameters:
        assert "Raises:\n  UserError: " in text
    assert "returns" in text.lower()


def test_the_api_page_documents_every_name_and_no_other():
    page = (ROOT.parent / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^::: remedis\.(\w+)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(set(remedis.__all__) - {"__version__"})
    linked = set(re.findall(r"\(#remedis\.(\w+)\)", page))
    assert set(FUNCTIONS) <= linked
    assert linked <= set(documented)


def test_a_report_is_shown_once_in_a_notebook(capsys):
    """Rich displays what it prints if it finds itself in a notebook."""
    script = (
        "import rich.console; rich.console._is_jupyter = lambda: True; "
        "from remedis.reporting import report_text; "
        "report_text.notebook_html('text')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def options_of(command):
    """The options of a command by the name of their value, without those of its output."""
    parser = cli.parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    actions = commands.choices[command]._actions
    output = {"help", "json", "table_file", "quiet", "verbose"}
    return {action.dest: action for action in actions if action.dest not in output}


_OF_ARCHIVES = ("runner", "images_per_file")  # arguments of `embed_archive`


@pytest.mark.parametrize("command", ["embed", "evaluate", "calibrate"])
def test_a_function_has_the_arguments_and_the_defaults_of_its_command(command):
    parameters = inspect.signature(getattr(remedis, command)).parameters
    options = options_of(command)
    options["options"] = options.pop("option")
    # In Python these are options of the source, parts of data, or None for a result without file.
    for name in ("allow_missing_patient_ids", "allow_similar_ids", "manifest", *_OF_ARCHIVES):
        options.pop(name, None)
    assert set(parameters) == set(options)
    for name, action in options.items():
        default = parameters[name].default
        if action.required and name != "out":
            assert default is inspect.Parameter.empty
        elif name not in ("out", "data", "options"):
            assert default == action.default, name


def test_build_has_the_flags_of_its_command():
    from absl import flags

    values = flags.FlagValues()
    build_job.JOB.define(values)
    options = {name.replace("-", "_"): values[name] for name in values}
    parameters = inspect.signature(remedis.build).parameters
    assert set(parameters) == set(options) - {"all"}
    for name in ("out", "graph", "any_pixel_range", "overwrite"):
        assert parameters[name].default == options[name].default
