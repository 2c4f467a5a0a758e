import keras
import numpy as np
import pytest

from remedis.errors import UserError
from remedis.training import learning_rate_factors
from remedis.training.learning_rate_factors import Multipliers, parse

NAMES = [
    "root_block/standardized_conv2d/kernel",
    "block1/unit01/a/group_norm/gamma",
    "block2/unit01/a/group_norm/gamma",
    "block3/unit01/a/group_norm/gamma",
    "head/dense/kernel",
    "head/dense/bias",
]


def test_the_first_rule_that_matches_a_whole_name_counts_and_1_where_none_does():
    rules = parse(" head/.*/bias=2; head/.*=10;block[12]/.*=0 ; root.*= 1e-1")
    assert rules.factors(NAMES) == dict(zip(NAMES, [0.1, 0, 0, 1, 10, 2], strict=True))


def test_a_part_of_a_name_is_no_match():
    with pytest.raises(UserError, match=r"'head' matches no variable"):
        parse("head=0").factors(NAMES)


@pytest.mark.parametrize("text", ["", "  ", ";"])
def test_no_rules_leave_all_rates_alone(text):
    assert parse(text) == Multipliers()
    assert set(parse(text).factors(NAMES).values()) == {1.0}
    assert parse(text).log(NAMES) == []


def test_a_pattern_may_have_an_equals_sign():
    assert parse("(?=head).*=3").rules == (("(?=head).*", 3.0),)


def test_the_log_says_what_each_rule_matched():
    assert parse("head/.*/bias=2; head/.*=10; .*=0").log(NAMES) == [
        "Learning rate x 2, by 'head/.*/bias': 1 variable: head/dense/bias",
        "Learning rate x 10, by 'head/.*': 1 variable: head/dense/kernel",
        "Learning rate x 0, by '.*': 4 variables: root_block/standardized_conv2d/kernel, "
        "block1/unit01/a/group_norm/gamma, block2/unit01/a/group_norm/gamma and 1 more",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "haed/dense/.*=10",
            "config.learning_rates: 'haed/dense/.*' matches no variable; expected a regular "
            "expression that matches whole names, such as head/dense/bias, head/dense/kernel.",
        ),
        (
            "head/.*=10; head/dense/.*=1",
            "config.learning_rates: every variable that 'head/dense/.*' matches "
            "(head/dense/kernel, head/dense/bias) is matched by an earlier rule, and the first "
            "match counts: move this rule forward or leave it out.",
        ),
        (
            "head/.*",
            "config.learning_rates has 'head/.*'; expected a pattern, '=' and a factor, "
            "as in 'head/.*=10; block[12]/.*=0'.",
        ),
        (
            "head/(=10",
            "config.learning_rates: 'head/(' is not a regular expression (missing ), unterminated "
            "subpattern at position 5); expected one that matches whole names of variables, as in "
            "'head/.*=10; block[12]/.*=0'.",
        ),
        (
            "head/.*=-1",
            "config.learning_rates: the factor of 'head/.*=-1' is '-1'; expected a number, 0 or "
            "more.",
        ),
        (
            "head/.*=ten",
            "config.learning_rates: the factor of 'head/.*=ten' is 'ten'; expected a number, 0 or "
            "more.",
        ),
        (
            "head/.*=inf",
            "config.learning_rates: the factor of 'head/.*=inf' is 'inf'; expected a number, 0 or "
            "more.",
        ),
    ],
)
def test_wrong_rules(text, sentence):
    with pytest.raises(UserError) as caught:
        parse(text).factors(NAMES)
    assert str(caught.value) == sentence


def test_what_is_trained_is_logged_and_must_be_something(caplog):
    variables = {name: keras.Variable(np.zeros((2, 3))) for name in ("a/kernel", "b/kernel")}
    assert learning_rate_factors.factors_of_trained("a/.*=0; b/.*=2", variables) == {
        "b/kernel": 2.0
    }
    assert caplog.messages[-1] == "Training 1 variable, 6 parameters."
    with pytest.raises(UserError) as caught:
        learning_rate_factors.factors_of_trained(".*=0", variables)
    assert str(caught.value) == (
        "config.learning_rates is '.*=0', which freezes every variable; leave some of them above 0."
    )
