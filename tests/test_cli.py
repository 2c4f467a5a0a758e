import subprocess
import sys

import pytest

from remedis import cli
from remedis.zoo import names


def test_list_prints_all_eight_with_their_counts(capsys):
    assert cli.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in names.NAMES)
    assert "23,496,256" in printed
    assert "232,230,016" in printed
    assert "10.13026/grp0-z205" in printed


def test_info_of_a_name(capsys):
    assert cli.main(["info", "path-152x2-remedis-s"]) == 0
    printed = capsys.readouterr().out
    assert "232,230,016 in 455 tensors" in printed
    assert "ImageNet-1k" in printed
    assert "not a diagnostic device" in printed


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("cxr-52x2-remedis-m", "did you mean 'cxr-152x2-remedis-m'?"),
        ("cxr_50x1_remedis_m", "did you mean 'cxr-50x1-remedis-m'?"),
        ("no/such/folder", "no/such/folder is not a folder; expected a SavedModel folder."),
    ],
)
def test_info_of_neither_a_name_nor_a_folder(what, sentence, capsys):
    assert cli.main(["info", what]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_info_of_a_folder_that_is_no_saved_model(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path)]) == 1
    assert "it has no saved_model.pb" in capsys.readouterr().err


def test_list_does_not_wait_for_tensorflow():
    code = (
        "import sys; from remedis import cli; cli.main(['list']); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
