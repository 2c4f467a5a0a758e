"""A page per notebook, with its outputs, and the page that lists them.

Plots are files beside the page. `make docs` sets `REMEDIS_DOCS_NOTEBOOKS=run`, which executes the
notebooks that the cache lacks: minutes. Other builds use what the cache has, and else show
notebooks without outputs.
"""

import base64
import io
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from docs.generate import markdown
from docs.generate.executed_notebooks import NOTEBOOKS, cached, executed
from remedis.cli.tensorflow_start import pass_on

FOLDER = "notebooks"
_ERRORS = 3  # of TensorFlow's log lines, those below an error are left out
_INFORMATION = re.compile(r"^INFO:tensorflow:.*\n?", re.MULTILINE)
_HIDDEN = re.compile(r"<style.*?</style>\s*", re.DOTALL)
_INDEX = """# Notebooks

Each notebook answers one question on made-up data, in a minute or two, and says in one cell what to
change for real data and weights. The weights are random: the numbers show that everything runs.

{table}
To run one yourself, download it from its page, or clone the repository; install what it needs with
`pip install jupyterlab` beside the package, and open it:

```text
jupyter lab notebooks/{first}.ipynb
```

The functions that they use are those of the [Python API](../reference/api.md).
"""


def pages() -> dict[str, str | bytes]:
    """Returns the page of every notebook, its plots and the notebook itself, and the list."""
    import nbformat

    run = os.environ.get("REMEDIS_DOCS_NOTEBOOKS") == "run"
    made: dict[str, str | bytes] = {}
    rows = []
    for path in NOTEBOOKS:
        notebook = executed(path) if run else cached(path) or nbformat.read(path, as_version=4)
        title, question = introduction(notebook)
        rows.append((f"[{title}]({path.stem}.md)", question))
        made[f"{FOLDER}/{path.name}"] = path.read_bytes()
        pictures: dict[str, bytes] = {}
        made[f"{FOLDER}/{path.stem}.md"] = page(notebook, path.stem, pictures)
        made |= {f"{FOLDER}/{name}": picture for name, picture in pictures.items()}
    table = markdown.table(("notebook", "question"), rows)
    made[f"{FOLDER}/index.md"] = _INDEX.format(table=table, first=NOTEBOOKS[0].stem)
    return made


def introduction(notebook: Any) -> tuple[str, str]:
    """Returns the title of a notebook and its question.

    Raises:
        ValueError: the first cell is not a title and a paragraph that begins with a question.
    """
    match = re.match(r"# (.+)\n\n\*\*(.+\?)\*\* ", notebook.cells[0].source)
    if match is None:
        raise ValueError("A notebook begins with `# Title` and a paragraph `**Question?** ...`.")
    return match[1], match[2]


def page(notebook: Any, name: str, pictures: dict[str, bytes]) -> str:
    """Returns the Markdown of a notebook.

    Args:
        notebook: with outputs, or without.
        name: of its file, without the ending.
        pictures: the plots are added to these, by the name of the file.

    Raises:
        ValueError: a plot has no text that says what it shows, `alt` in the metadata of its cell.
    """
    first, *cells = notebook.cells
    ran = any(cell.get("outputs") for cell in cells)
    note = (
        f"This page shows what [the notebook]({name}.ipynb) printed when it was run."
        if ran
        else f"[The notebook]({name}.ipynb) was not run for this page: outputs are missing."
    )
    parts = [first.source, note]
    for number, cell in enumerate(cells, start=1):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(markdown.fence(cell.source, "python"))
        for kind, content in _outputs(cell):
            if kind != "image/png":
                parts.append(content)
                continue
            alt = cell.metadata.get("alt", "")
            if not alt:
                raise ValueError(f"{name}, cell {number}: the plot needs a text, metadata.alt.")
            file = f"{name}_{number}.png"
            pictures[file] = base64.b64decode(content)
            parts.append(f"![{alt}]({file})")
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _outputs(cell: Any) -> Iterator[tuple[str, str]]:
    """Yields the type and the content of every output: Markdown, or a picture in base 64."""
    for name, group in itertools.groupby(cell.get("outputs", ()), lambda of: of.get("name", "")):
        if name:  # a stream, which may come in pieces
            if text := _without_log_lines("".join(output.text for output in group)):
                yield "text/plain", markdown.fence(text)
            continue
        yield from _shown(group)


def _shown(outputs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yields the type and the content of outputs that are no streams."""
    for output in outputs:
        data = output.get("data", {})
        if "image/png" in data:
            yield "image/png", data["image/png"]
        elif "text/markdown" in data:
            yield "text/markdown", data["text/markdown"]
        elif "text/html" in data:
            yield "text/html", _html(data["text/html"])
        elif "text/plain" in data:
            yield "text/plain", markdown.fence(data["text/plain"])


def _without_log_lines(text: str) -> str:
    """Returns what a cell printed without the log lines of TensorFlow and its libraries."""
    kept = io.BytesIO()
    pass_on(io.BytesIO(_INFORMATION.sub("", text).encode()), kept, _ERRORS)
    return kept.getvalue().decode().strip("\n")


def _html(text: str) -> str:
    """Returns the HTML of an output as a block that scrolls by itself on a narrow screen."""
    # The site styles tables without attributes.
    plain = _HIDDEN.sub("", text).replace(' border="1" class="dataframe"', "").strip()
    return f'<div class="notebook-output" style="overflow-x: auto">\n{plain}\n</div>'
