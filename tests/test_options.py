"""Options written as text: the one parser of all of them, and how messages spell them."""

import ast
import pathlib
import re
import threading

import pytest

import remedis
from remedis.errors import UserError
from remedis.options import (
    INTERFACES,
    items,
    label_list,
    label_text,
    literals,
    pairs,
    source_options,
    spelled,
    spelled_argument,
    spelled_for,
    spelled_option,
    values_by_name,
)

EXPECTED = "NAME=VALUE, as in 'a=b'"


def test_items_are_stripped_and_empty_ones_left_out():
    assert items(" a ;; b ; ") == ["a", "b"]
    assert items("a, b", ",") == ["a", "b"]
    assert items("  ") == []


def test_the_first_sign_divides_or_the_last():
    assert pairs("a = b=c; d=e", what="x", expected=EXPECTED) == [("a", "b=c"), ("d", "e")]
    assert pairs("a=b=2", what="x", expected=EXPECTED, at_last=True) == [("a=b", "2")]
    assert pairs("a: b, c: d", what="x", expected=EXPECTED, sign=":", separator=",") == [
        ("a", "b"),
        ("c", "d"),
    ]


@pytest.mark.parametrize("part", ["a", "a=", "=b", "="])
def test_a_part_that_is_no_pair_is_named(part):
    with pytest.raises(UserError) as raised:
        pairs(f"x=y; {part}", what="config.arms", expected=EXPECTED)
    assert str(raised.value) == f"config.arms has {part!r}; expected {EXPECTED}."


def test_literals_are_values_and_everything_else_is_text():
    assert literals(["views=frontal", " centres = (1, 2)", "a==b", "", "empty="], "x") == {
        "views": "frontal",
        "centres": (1, 2),
        "a": "=b",
        "empty": "",
    }
    with pytest.raises(UserError, match=r"^--option has 'root'; expected KEY=VALUE\.$"):
        literals(["root"], "--option")


def test_values_by_name_divide_outside_quotes_and_brackets():
    text = 'a b: x=1, y=\'p; q, r\', z=(2, 3); c: w=some/path, v={"train": 0.5, "test": 0.5}'
    assert values_by_name(text, what="x", expected=EXPECTED) == {
        "a b": {"x": 1, "y": "p; q, r", "z": (2, 3)},
        "c": {"w": "some/path", "v": {"train": 0.5, "test": 0.5}},
    }
    assert values_by_name(" ", what="x", expected=EXPECTED) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", f"config.x has 'a'; expected {EXPECTED}."),
        ("a:", f"config.x has 'a:'; expected {EXPECTED}."),
        ("a: b", "config.x has 'b'; expected KEY=VALUE."),
        ("a: b=1; a: c=2", "config.x names 'a' twice; write all of its keys behind one colon."),
        ("a: b=1, b=2", "config.x has 'a: b=1, b=2', in which a key stands twice; write it once."),
        ("a: b='1", 'config.x is "a: b=\'1", in which a quote or a bracket is not closed; exp'),
        ("a: b=(1", "config.x is 'a: b=(1', in which a quote or a bracket is not closed; expec"),
    ],
)
def test_malformed_values_by_name_are_a_sentence(text, message):
    with pytest.raises(UserError) as raised:
        values_by_name(text, what="config.x", expected=EXPECTED)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Mass", ("Mass",)),
        (" Mass, Pleural Effusion,", ("Mass", "Pleural Effusion")),
        ('"Nodule, solid",Mass', ("Nodule, solid", "Mass")),
        ('Mass, "5"" film"', ("Mass", '5" film')),
    ],
)
def test_labels_are_written_as_a_row_of_a_csv_file(text, labels):
    assert label_list(text) == labels
    assert label_list(label_text(labels)) == labels


def test_a_quote_that_is_not_closed_is_named():
    with pytest.raises(UserError, match=r"^--labels is '\"a,b', which is not a list"):
        label_list('"a,b')


def test_a_value_of_a_source_option_may_have_semicolons_in_quotes():
    text = "views=all; columns='a b=path; c=split'; pattern=^\\((\\d+)_[^']; x=(1, 2);"
    assert source_options(text, "config.source_options") == {
        "views": "all",
        "columns": "a b=path; c=split",
        "pattern": r"^\((\d+)_[^']",
        "x": (1, 2),
    }
    assert source_options("", "x") == {}
    with pytest.raises(UserError, match=r"^x has 'root'; expected KEY=VALUE\.$"):
        source_options("a=1; root", "x")


@pytest.mark.parametrize(
    ("interface", "key", "value", "option", "quoted"),
    [
        ("python", "split_unit", "out='a b'", "views", "pattern"),
        (
            "command",
            "--split-unit",
            "--out='a b'",
            "--option views=all",
            "--option 'pattern=(a|b)'",
        ),
        (
            "config",
            "config.split_unit",
            "config.out='a b'",
            "config.source_options='views=all'",
            "config.source_options='pattern=(a|b)'",
        ),
    ],
)
def test_messages_spell_a_setting_as_the_user_writes_it(interface, key, value, option, quoted):
    with spelled_for(interface):
        assert spelled("split_unit") == key
        assert spelled("out", "a b") == value
        assert spelled_option("views", "all") == option
        assert spelled_option("pattern", "(a|b)") == quoted
        found = []  # images are read in threads, whose messages say the same
        thread = threading.Thread(target=lambda: found.append(spelled("split_unit")))
        thread.start()
        thread.join()
        assert found == [key]
    assert spelled("split_unit") == "split_unit"


def test_values_are_those_of_a_shell_or_of_python():
    assert spelled("labels", ("A", "B")) == "labels=['A', 'B']"
    assert spelled("share", 0.5) == spelled("share", "0.5") == "share=0.5"
    assert spelled("folder", pathlib.Path("C:\\a")) == r"folder='C:\a'"
    with spelled_for("command"):
        assert spelled("labels", ("A", "B C")) == "--labels='A,B C'"


def test_an_argument_of_a_job_is_that_of_its_caller():
    assert spelled_argument("workdir", "a b") == "--workdir='a b'"  # as the commands say
    for interface, expected in (("python", "workdir='a b'"), ("config", "--workdir='a b'")):
        # The code that takes a config spells its keys in both.
        with spelled_for(interface), spelled_for("config"):
            assert spelled_argument("workdir", "a b") == expected
            assert spelled("steps") == "config.steps"


def test_no_message_that_a_command_reaches_names_a_config_key_by_itself():
    """What both a command and a job can reach writes `spelled(key)`, not `config.key`."""
    package = pathlib.Path(remedis.__file__).parent
    folders = ("data", "evaluation", "inference", "models", "preprocess", "synthetic", "zoo")
    jobs_alone = package / "evaluation" / "label_budget"
    assert set(INTERFACES) == {"python", "command", "config"}
    for file in sorted(file for name in folders for file in (package / name).rglob("*.py")):
        if jobs_alone in file.parents:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        documentation = {
            node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or node.value in documentation:
                continue
            if isinstance(text := node.value, str):
                key = re.search(r"(?<![\w-])config\.(?!json\b)\w*", text)
                assert key is None, (
                    f"{file}:{node.lineno} says {key[0]}; use remedis.options.spelled"
                )
