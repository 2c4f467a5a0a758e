import json
import pathlib

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.guarantee
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_is_kept_without_output(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()


def test_the_readme_has_the_table_of_the_notebook_on_keras():
    cells = json.loads((ROOT / "notebooks" / "keras.ipynb").read_text())["cells"]
    kinds = ("markdown", "code")
    markdown, code = (
        "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)
        for kind in kinds
    )
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    readme = (ROOT / "README.md").read_text().splitlines()
    begin = readme.index(table[0])
    assert readme[begin : begin + 7] == [table[0], "|---|---|---|---|", *table[1:]]
    for row in table[1:]:  # the code adds each row after its assertions
        assert f'"{row}"' in code
