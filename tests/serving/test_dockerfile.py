"""The recipe of the container: what a linter of such files would say, and what it serves with."""

import json
import pathlib
import re

import pytest

from remedis import cli

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "docker"


@pytest.fixture(scope="module")
def instructions():
    """[(instruction, its words)] of the Dockerfile, without comments, in order."""
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in joined if line.strip()]


def of(instructions, name):
    return [words for instruction, words in instructions if instruction == name]


def last_stage(instructions):
    start = max(i for i, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[start:]


def test_every_image_is_pinned(instructions):
    defaults = dict(words.split("=", 1) for words in of(instructions, "ARG"))
    stages = set()
    for words in of(instructions, "FROM"):
        image = re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], words.split()[0])
        tag = image.partition(":")[2]
        assert image in stages or re.match(r"\d+\.\d+", tag), f"{image} moves with time"
        stages.add(words.split()[-1])


def test_it_runs_as_a_user_without_rights(instructions):
    stage = last_stage(instructions)
    *_, user = of(stage, "USER")
    number = user.partition(":")[0]
    assert re.fullmatch(r"[1-9]\d*", number), "expected a number, which a cluster can check"
    order = [name for name, _ in stage]
    # Nothing that a server could change belongs to its user.
    assert "COPY" not in order[order.index("USER") :]
    assert "RUN" not in order[order.index("USER") :]
    assert not any("--chown" in words for words in of(stage, "COPY"))
    [made] = [words for words in of(stage, "RUN") if "useradd" in words]
    assert f"--uid {number}" in made


def test_no_secret_and_no_download_by_hand(instructions):
    text = "\n".join(" ".join(each) for each in instructions)
    assert not re.search(r"\b(curl|wget|sudo|ADD)\b|https?://(?!127\.0\.0\.1)", text)
    for words in [*of(instructions, "ENV"), *of(instructions, "ARG")]:
        assert not re.search(r"token|password|secret|key", words, re.IGNORECASE), words
    assert "--token-file=/run/secrets/" in text
    assert "--no-token" not in text


def test_packages_are_those_that_are_tested(instructions):
    installs = [words for words in of(instructions, "RUN") if "pip install" in words]
    assert installs
    for words in installs:
        assert "-c constraints.txt" in words
        assert "--no-cache-dir" in words
    project = (ROOT / "pyproject.toml").read_text()
    extras = dict(words.split("=", 1) for words in of(instructions, "ARG"))["EXTRAS"].split(",")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)
    assert "serve" in extras


def test_what_is_copied_exists_and_is_let_through(instructions):
    copies = [words.split() for words in of(instructions, "COPY") if "--from" not in words]
    sources = [source for *named, _ in copies for source in named]
    ignore = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*", "nothing is sent that is not named"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(sources)
    assert all((ROOT / source).exists() for source in sources)


def test_commands_are_lists_so_that_signals_arrive(instructions):
    [entry] = of(instructions, "ENTRYPOINT")
    words = json.loads(entry)
    assert words[0] == "remedis"
    arguments = cli.parser().parse_args(words[1:])
    assert arguments.host == "0.0.0.0"
    [health] = of(instructions, "HEALTHCHECK")
    code = json.loads(health.partition("CMD ")[2])[2]
    compile(code, "healthcheck", "exec")
    assert f":{arguments.port}/healthz" in code
    assert of(instructions, "EXPOSE") == [str(arguments.port)]
