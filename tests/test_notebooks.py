"""Notebooks run to their ends, use what is public, and are kept without outputs."""

import ast
import pathlib
import re

import nbformat
import pytest

import remedis
from docs.generate import notebooks as pages
from docs.generate.executed_notebooks import NOTEBOOKS, executed
from remedis import synthetic

ROOT = pathlib.Path(__file__).parents[1]
KERAS = ROOT / "notebooks" / "6_keras.ipynb"
BEGINNING = "## For real data and weights, change this"


def by_notebook(function):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(function)


def cells(path, kind):
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


@pytest.mark.guarantee
@by_notebook
def test_a_notebook_runs_and_its_page_has_every_plot(path):
    notebook = executed(path)
    pictures = {}
    page = pages.page(notebook, path.stem, pictures)
    assert len(pictures) >= 1
    assert all(f"]({name})" in page for name in pictures)
    said = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text" in output
    ]
    assert not [text for text in said if re.search(r"Traceback|Deprecat|FutureWarning", text)]


@by_notebook
def test_a_notebook_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count is not None]
    ids = [cell.id for cell in notebook.cells]
    assert ids == [f"cell-{number:02}" for number in range(len(ids))]


@by_notebook
def test_a_notebook_begins_with_a_question_and_ends_with_what_to_read(path):
    title, question = pages.introduction(nbformat.read(path, as_version=4))
    assert len(title) < 60
    assert question.endswith("?")
    text = cells(path, "markdown")
    assert re.search(r"\*\*random( weights)?\*\*", text[0])
    assert "Research software, not a diagnostic device." in text[0]
    assert text[-1] == "## What to read in the result"
    assert text[-2].startswith(BEGINNING)
    (change,) = [cell for cell in text if cell.startswith(BEGINNING)]
    assert "```python\n" in change
    assert "run.results[" in cells(path, "code")[-1] or "Markdown(f" in cells(path, "code")[-1]


@by_notebook
def test_a_notebook_uses_the_public_api_alone(path):
    fences = [
        code
        for text in cells(path, "markdown")
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ]
    for code in [*cells(path, "code"), *fences]:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names if alias.name.startswith("remedis")}
                assert names <= {"remedis"}
            elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "remedis":
                assert node.module == "remedis"
                assert {alias.name for alias in node.names} <= set(remedis.__all__)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                of = {"remedis": remedis.__all__, "synthetic": synthetic.__all__}
                assert node.attr in of.get(node.value.id, [node.attr]), node.attr


def test_the_page_on_keras_has_the_table_of_the_notebook():
    markdown, code = ("\n".join(cells(KERAS, kind)) for kind in ("markdown", "code"))
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    page = (ROOT / "docs" / "how-to" / "keras.md").read_text(encoding="utf-8").splitlines()
    begin = page.index(table[0])
    assert page[begin : begin + 7] == [table[0], "|---|---|---|---|", *table[1:]]
    for row in table[1:]:  # the code adds each row after its assertions
        assert f'"{row}"' in code


def test_log_lines_of_tensorflow_and_styles_are_not_on_a_page():
    line = "I0000 00:00:1795846479.056374   17487 port.cc:153] oneDNN custom operations are on."
    lines = f"{line}\nINFO:tensorflow:Assets written to: /tmp/x\nheld "
    output = nbformat.v4.new_output("stream", name="stderr", text=lines)
    rest = nbformat.v4.new_output("stream", name="stderr", text="back\n")
    table = nbformat.v4.new_output(
        "execute_result",
        data={"text/html": '<style scoped>a</style><table border="1" class="dataframe"></table>'},
    )
    cell = nbformat.v4.new_code_cell("f()", outputs=[output, rest, table])
    found = [content for _, content in pages._outputs(cell)]
    assert found[0] == "```text\nheld back\n```\n"
    assert (
        found[1]
        == '<div class="notebook-output" style="overflow-x: auto">\n<table></table>\n</div>'
    )


def test_a_plot_needs_a_text_that_says_what_it_shows():
    picture = nbformat.v4.new_output("display_data", data={"image/png": "AAAA"})
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# T\n\n**Q?** a"),
            nbformat.v4.new_code_cell("f()", outputs=[picture]),
        ]
    )
    with pytest.raises(ValueError, match="n, cell 1: the plot needs a text"):
        pages.page(notebook, "n", {})
    notebook.cells[1].metadata["alt"] = "Two curves."
    pictures = {}
    assert "![Two curves.](n_1.png)" in pages.page(notebook, "n", pictures)
    assert pictures == {"n_1.png": b"\0\0\0"}
