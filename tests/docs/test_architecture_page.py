"""The layers that `docs/architecture.md` lists are those that the imports are checked against."""

import pathlib
import re

from tests.test_architecture import FLOORS, LIBRARY

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "architecture.md"


def test_the_page_lists_the_layers_that_are_tested():
    table = PAGE.read_text(encoding="utf-8").split("## Layers of imports")[1].split("\n\n")[2]
    listed = [set(re.findall(r"`(\w+)`", row.split("|")[2])) for row in table.splitlines()[2:]]
    packages = {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    tested = [set(floor) & packages for floor in FLOORS]
    # The ground has modules and no packages. Floors without a package are planned.
    assert listed[-1] == set()
    assert listed[:-1] == [floor for floor in tested if floor]


def test_the_figure_names_modules_that_exist():
    figure = (PAGE.parent / "assets" / "file-to-number.svg").read_text(encoding="utf-8")
    names = re.findall(r"[\w/]+/\w+(?:\.py)?(?=[,<])", figure)
    modules = [name for name in names if not name.startswith("/")]
    assert len(modules) >= 15
    assert not [name for name in modules if not (LIBRARY / name).exists()]
