"""Pages on configs: every key has its meaning, and every config says what it sets."""

import re

import pytest

from configs import common, common_pretraining, common_study, common_suite
from docs.generate import config_keys, config_pages, experiment_configs, markdown
from remedis.api import config_files
from remedis.data import labels
from remedis.evaluation import calibration, estimates
from remedis.models import precision
from remedis.models.tasks import TASKS
from remedis.pretraining import methods
from remedis.training import distribution, optimizers, schedules

SOURCE = """
def keys():
    config = new()
    # Data.
    config.source = ""  # layout of the data
    # or zeros, ones: what empty labels
    # count as
    config.empty = "ignore"
    # Length. At most one is set.
    config.steps, config.epochs = 0, 0  # how long
    # Report.
    # The seed
    # of intervals.
    config.seed = 0
    return config
"""


@pytest.fixture(scope="module")
def keys_page():
    return config_pages.keys_page()


def section(page: str, kind: str) -> str:
    return page.split(f"## Keys of {kind}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("finetune", common.finetuning()),
        ("pretrain", common_pretraining.pretraining()),
        ("ood-curves", common_study.ood(common.finetuning(), common.finetuning())),
        ("suite", common_suite.suite({})),
    ],
)
def test_every_key_is_on_the_page_with_its_default_and_meaning(keys_page, kind, config):
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section(keys_page, kind), re.MULTILINE))
    assert set(rows) == set(config) - set(config_pages.SHARED if kind == "ood-curves" else ())
    for key, row in rows.items():
        default, kinds, meaning = row.split(" | ")
        assert default == "see below" or default == config_pages.written(config[key])
        assert kinds
        assert re.match(r"[A-Z`]\S*.{3,}", meaning), key


@pytest.mark.parametrize(
    ("kind", "key", "choices"),
    [
        ("finetune", "optimizer", optimizers.NAMES),
        ("finetune", "schedule", schedules.KINDS),
        ("finetune", "uncertain", set(labels.POLICIES) - {"keep"}),  # keep: in Python only
        ("finetune", "eval_unmentioned", {"", *labels.POLICIES} - {"keep"}),
        ("finetune", "precision", precision.POLICIES),
        ("finetune", "calibration", calibration.METHODS),
        ("finetune", "weighting", estimates.WEIGHTINGS),
        ("finetune", "task", TASKS),
        ("finetune", "distribution", distribution.NAMES),
        ("pretrain", "distribution", distribution.NAMES),
        ("pretrain", "optimizer", optimizers.NAMES),
        ("pretrain", "method", methods.METHODS),
    ],
)
def test_choices_are_those_of_the_code(kind, key, choices):
    module, function = config_pages.KINDS[kind]
    source = (config_files.folder() / f"{module}.py").read_text()
    groups = config_keys.groups(source, function, module)
    (found,) = (one for group in groups for one in group.keys if one.name == key)
    assert {config_pages.defaults(kind)[key], *found.others} == set(choices)


def test_every_config_has_a_page_a_row_and_all_of_its_arguments(keys_page):
    for name in experiment_configs.names():
        assert f"](configs/{name}.md)" in keys_page
    page = config_pages.page("chexpert")
    assert "# chexpert\n\nCheXpert: five conditions" in page
    for argument in ("14", "50x1", "152x2", "head_only", "released", "notebook", "rehearsal"):
        assert f"### :{argument} {{#{argument}}}" in page
    assert "| `train_preprocess` | `resize({size})` | `finetune_cxr({size})` |" in page
    assert "remedis finetune --config=chexpert --workdir=runs/chexpert" in page
    assert "finetune/finetune.py" not in page


def test_every_option_of_a_method_of_pretraining_has_a_meaning(keys_page):
    text = keys_page.split("## Options of the methods\n")[1]
    assert [line for line in text.split("\n") if line.startswith("### ")] == [
        "### simclr",
        "### micle",
        "### moco",
        "### relic",
        "### barlow_twins",
    ]
    assert "| `queue` | `65536` | Number of projections" in text


def test_groups_meanings_and_choices_are_read_from_comments():
    data, length, report = config_keys.groups(SOURCE, "keys", "keys.py")
    assert (data.title, data.text) == ("Data", "")
    assert data.keys == (
        config_keys.Key("source", "layout of the data", ()),
        config_keys.Key("empty", "what empty labels count as", ("zeros", "ones")),
    )
    assert (length.title, length.text) == ("Length", "At most one is set.")
    assert [(key.name, key.meaning) for key in length.keys] == [
        ("steps", "how long"),
        ("epochs", "how long"),
    ]
    assert report.keys == (config_keys.Key("seed", "The seed of intervals.", ()),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  # layout of the data", "", r"keys\.py:5: the key 'source' has no meaning; write it"),
        ("    # Data.\n", "", r"keys\.py: 'source' stands before the first group"),
        (": what empty labels\n    # count as", ":", "'empty' has no meaning"),
    ],
)
def test_a_key_without_a_meaning_is_an_error(old, new, message):
    with pytest.raises(ValueError, match=message):
        config_keys.groups(SOURCE.replace(old, new), "keys", "keys.py")


def test_a_key_that_no_comment_describes_is_an_error(monkeypatch):
    def with_another():
        config = finetuning()
        config.odour = 1
        return config

    finetuning = common.finetuning
    monkeypatch.setattr(common, "finetuning", with_another)
    with pytest.raises(ValueError, match=r"common\.py: the key 'odour' has no meaning; assign it"):
        config_pages._keys("finetune")


def test_tables_and_code_of_comments():
    assert markdown.with_code("as config.id.steps, '0, 3'; the arm's") == (
        "as `config.id.steps`, `0, 3`; the arm's"
    )
    assert markdown.with_code("by --accept-guesses only") == "by `--accept-guesses` only"
    assert markdown.with_links(
        "arXiv 1901.07042, `arXiv 1.2`; DOI 10.13026/jsn5-t979 (a-b.io/c)."
    ) == (
        "[arXiv 1901.07042](https://arxiv.org/abs/1901.07042), `arXiv 1.2`; "
        "[DOI 10.13026/jsn5-t979](https://doi.org/10.13026/jsn5-t979) "
        "([a-b.io/c](https://a-b.io/c))."
    )
    assert markdown.cell("a | `b | c`\n d") == "a \\| `b | c` d"
    assert markdown.table(("x",), [("1",)]) == "| x |\n| --- |\n| 1 |\n"
    assert markdown.prose("a\n\n    remedis list\n\n    x = 1\n\nb") == (
        "A\n\n```sh\nremedis list\n```\n\n```text\nx = 1\n```\n\nb\n"
    )
