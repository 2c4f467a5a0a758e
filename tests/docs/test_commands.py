"""Every command that a document shows is right, and all but `build` run.

The quick tests parse each command by the parser of its program. The last test runs those of this
project, as `tests/helpers/run_document.py` says.
"""

import re
import subprocess
import sys

import document_commands
import pytest
from absl import flags
from document_commands import ROOT

from remedis import cli
from remedis.cli import jobs
from remedis.errors import UserError

DOCUMENTS = document_commands.documents()
# Commands of other programs, which no test runs.
OTHERS = {
    r"\. \S*activate": "changes the shell",
    r"cd ": "changes the shell",
    r"git ": "of version control",
    r"(\S*/)?pip (install|download|wheel) ": "installs from a package index",
    r"\S*python\S* -m (venv|pip) ": "makes an environment",
    r"(\S*/)?twine ": "uploads",
    r"(\S*/)?cffconvert ": "is not installed here",
    r"(rm|unzip|mkdir|cp|scp|tar) ": "of the system",
    r"(base64|curl|head|printf) ": "of the system; tests/serving asks a server by those of a page",
    r"docker ": "is not installed here",
    r"mlflow models serve ": "is a server, which tests/conversion asks",
    r"pre-commit ": "of another program",
}


def shown(document):
    """Returns the words of all commands of a document, without variables of the environment."""
    blocks = [block for block in document_commands.blocks(document) if block.language == "sh"]
    found = [words for block in blocks for words in document_commands.commands(block)]
    return [words[1:] if re.match(r"[A-Z_]+=", words[0]) else words for words in found]


CASES = [
    pytest.param(words, id=f"{document}-{number}")
    for document in DOCUMENTS
    for number, words in enumerate(shown(document))
]


def test_the_documents_are_found():
    assert {"README.md", "CONTRIBUTING.md", "configs/chexpert.py"} <= set(DOCUMENTS)


@pytest.mark.parametrize("words", CASES)
def test_a_command_is_one_that_exists(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    ours = document_commands.ours(words)
    if ours is not None:
        parse(ours)
    elif words[0] == "make":
        variables = [word for word in words[1:] if "=" in word]
        targets = [word for word in words[1:] if "=" not in word]
        subprocess.run(["make", "-n", *targets, *variables], check=True, capture_output=True)
    elif words[0].endswith("python") and words[1:3] == ["-m", "pytest"]:
        paths = [word.partition("::")[0] for word in words if word.startswith("tests/")]
        assert all((ROOT / path).exists() for path in paths if "NAME" not in path)
    elif words[0].endswith("python") and words[1].startswith(("benchmarks/", "tests/")):
        source = (ROOT / words[1]).read_text()
        options = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
        assert not [option for option in options if f'"{option}"' not in source]
    else:
        line = " ".join(words)
        assert any(re.match(pattern, line) for pattern in OTHERS), (
            f"run {line} here, or say why not"
        )


@pytest.mark.parametrize("document", sorted({*DOCUMENTS, "CHANGELOG.md"}))
def test_commands_in_sentences_exist(document):
    for words in document_commands.mentions(document):
        known = options_of(words[0])
        given = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
        for option in given:
            assert option in known or option.startswith("--config."), f"{words[0]} {option}"


@pytest.mark.guarantee
@pytest.mark.parametrize(
    "document",
    [
        document
        for document in DOCUMENTS
        # Its commands need each other's results, in the order in which benchmarks run them.
        if document != "docs/results.md"
        if any(document_commands.ours(words) for words in shown(document))
        or any(block.language == "python" for block in document_commands.blocks(document))
    ],
)
def test_the_commands_of_a_document_run(document, tmp_path):
    driver = ROOT / "tests" / "helpers" / "run_document.py"
    done = subprocess.run(
        [sys.executable, driver, document, tmp_path / "world"],
        capture_output=True,
        text=True,
        errors="backslashreplace",
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def parse(words):
    """Parses a command of this project; raises a UserError for a wrong one."""
    name, rest = words[0], words[1:]
    if name not in cli.JOBS:
        cli.parser().parse_args(cli._apart(words)[0])
        return
    job = job_of(name)
    values = flags.FlagValues()
    job.define(values)
    jobs._parse(values, jobs._define_config(values, rest) if job.configured else rest)


def job_of(name):
    import importlib

    return importlib.import_module(f"remedis.cli.{cli.JOBS[name][0]}").JOB


def options_of(name):
    """Returns the options of a command or job."""
    if name in cli.JOBS:
        values = flags.FlagValues()
        job_of(name).define(values)
        return {"--config", "--quiet", "--verbose", "--help", *(f"--{flag}" for flag in values)}
    [commands] = [a for a in cli.parser()._actions if hasattr(a, "choices") and a.choices]
    if name not in commands.choices:
        raise UserError(f"there is no command {name}")
    return set(commands.choices[name]._option_string_actions)
