"""Every reader refuses damaged and hostile files in one sentence (`harness`)."""

import importlib
import os
import random

import harness
import pytest

FILES = (
    *("checkpoints", "images", "keras", "npz", "records", "served", "specifications", "store"),
    "tables",
)
TARGETS = [
    pytest.param(module, name, id=f"{file}-{name}")
    for file in FILES
    for module in [f"{file}_targets"]
    for name in importlib.import_module(module).TARGETS
]


@pytest.mark.parametrize(("module", "name"), TARGETS)
def test_seeds(module, name, tmp_path):
    harness.check_seeds(importlib.import_module(module).TARGETS[name], tmp_path)


def test_the_seeds_of_tables_have_rows(tmp_path):
    tables = importlib.import_module("tables_targets")
    for name, contents in enumerate(tables.SEEDS):
        (tmp_path / f"{name}.csv").write_bytes(contents)
        assert len(tables.spreadsheet.read_table(tmp_path / f"{name}.csv")) >= 2


@pytest.fixture
def seconds(request):
    """Returns the share of the time that each target of this run has."""
    attacks = [i for i in request.session.items if "seconds" in getattr(i, "fixturenames", ())]
    return 60 * float(os.environ.get("REMEDIS_FUZZ_MINUTES", "20")) / len(attacks)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), TARGETS)
def test_fuzz(module, name, seconds):
    number = int(os.environ.get("REMEDIS_FUZZ_SEED", random.randrange(10**9)))
    counts = harness.attack(module, name, seconds, number)
    print(f"\n{name}, draws of seed {number}: {counts}")
    assert counts["read"] + counts["refused"] > 0
