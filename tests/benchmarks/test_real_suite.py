"""The suite of real and made-up sets: its config, and its section from a known leaderboard."""

import pytest

from remedis.suite.settings import SuiteSettings


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("real_suite")


def test_the_config_has_three_real_sets_and_two_made_up_ones(benchmark, tmp_path):
    config = benchmark.get_config(str(tmp_path)).unlock()
    config.arms = "r50=scratch:50x0.5; shallow=scratch:1-1-1-1x0.5"
    config.baseline = "shallow"
    settings = SuiteSettings.from_config(config)
    assert {name: bool(study.rehearsal) for name, study in settings.sets.items()} == {
        "cells_bccd_to_tecom": False,
        "cells_tecom_to_bccd": False,
        "chest": False,
        "made_up_chest": True,
        "made_up_skin": True,
    }
    assert all(study.seeds == benchmark.SEEDS for study in settings.sets.values())
    cells = settings.sets["cells_tecom_to_bccd"]
    assert cells.ood.finetuning.data.data_dir == str(tmp_path / "cells" / "bccd")
    assert "thumbnails" in settings.arms


def test_the_section_is_the_leaderboard_without_links_to_reports(benchmark, tmp_path):
    (tmp_path / benchmark.SUITE).mkdir()
    board = "# Title\n\n## Linear probe\n\n| arm | [chest](sets/chest/report.html) |\n|---|---|\n"
    (tmp_path / benchmark.SUITE / "leaderboard.md").write_text(board)
    text = benchmark.section(tmp_path, "COMMAND")
    assert "# Title" not in text
    assert "\n### Linear probe\n" in text
    assert "| arm | chest |" in text
    assert text.endswith("```sh\nCOMMAND\n```")


def test_the_command_names_no_folder_of_the_machine(benchmark):
    shown = "'--config.arms=cells=/home/me/cells/simclr-0/export; other=/runs/simclr/export'"
    expected = "'--config.arms=cells=DIR/simclr-0/export; other=DIR/simclr/export'"
    assert benchmark.without_folders(shown) == expected
