import pytest

from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.training import learning_rate_factors, trained_layers

NAMES = [*Architecture.parse("50x1").shapes(True), "head/dense/kernel", "head/dense/bias"]


def factors(layers):
    rules = trained_layers.rules(layers, "", NAMES)
    return learning_rate_factors.parse(rules).factors(NAMES)


def test_a_block_has_a_share_of_the_rate_of_that_above_it():
    found = factors("decaying")
    assert found["head/dense/kernel"] == found["group_norm/gamma"] == 1
    for power, block in enumerate(("block4", "block3", "block2", "block1", "root_block"), 1):
        own = {factor for name, factor in found.items() if name.startswith(f"{block}/")}
        assert len(own) == 1
        assert own.pop() == pytest.approx(2.6**-power, rel=1e-3)


def test_the_upper_layers_alone():
    frozen = {name for name, factor in factors("upper").items() if not factor}
    early = ("root_block/", "block1/", "block2/")
    assert frozen == {name for name in NAMES if name.startswith(early)}


def test_all_layers_follow_the_rules_of_the_config():
    assert trained_layers.rules("all", "head/.*=3", NAMES) == "head/.*=3"


@pytest.mark.parametrize(
    ("layers", "rates", "names", "message"),
    [
        (
            "uper",
            "",
            NAMES,
            "Unknown value of config.layers 'uper': did you mean 'upper'? Choose f",
        ),
        ("upper", "head/.*=3", NAMES, "config.layers is upper and config.learning_rates is 'head"),
        ("upper", "", ["conv1/kernel"], "config.layers is upper, which names the blocks of BiT"),
    ],
)
def test_mistakes_are_a_sentence(layers, rates, names, message):
    with pytest.raises(UserError) as caught:
        trained_layers.rules(layers, rates, names)
    assert str(caught.value).startswith(message)
