"""Rules about the code as a whole, read from its syntax."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
LIBRARY = ROOT / "remedis"
MODULES = sorted(LIBRARY.rglob("*.py"))

# A part may import from its own layer and from those below.
LAYERS = (
    {"cli", "jobs"},
    {"reporting"},
    {"evaluation", "training", "selfsup"},
    {"data", "zoo"},
    {"models", "preprocess"},
    {"errors", "extras", "files", "progress", "__init__"},
)
LAYER = {part: level for level, parts in enumerate(LAYERS) for part in parts}
# Heavy or rare packages are extras, imported where they are used.
OPTIONAL = {
    "apache_beam",
    "mlflow",
    "onnx",
    "onnxruntime",
    "openslide",
    "pydicom",
    "skimage",
    "tf2onnx",
}
OPTIONAL |= {"tifffile", "tf_keras", "torch", "timm"}


def part_of(path: pathlib.Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imports(tree: ast.AST):
    """Yields the full names of imported modules and of what is imported from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_parts(path: pathlib.Path) -> set[str]:
    names = [name.split(".") for name in imports(ast.parse(path.read_text()))]
    return {
        name[1]
        if (LIBRARY / name[1]).is_dir() or (LIBRARY / f"{name[1]}.py").is_file()
        else "__init__"
        for name in names
        if name[0] == "remedis" and len(name) > 1
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    level = LAYER[part_of(path)]
    upward = {part for part in own_parts(path) if LAYER[part] < level}
    assert not upward, f"{path} imports from above: {upward}"


def test_parts_do_not_import_each_other_in_circles():
    edges = {}
    for path in MODULES:
        edges.setdefault(part_of(path), set()).update(own_parts(path) - {part_of(path)})

    def reachable(start):
        seen, todo = set(), [start]
        while todo:
            for following in edges.get(todo.pop(), ()):
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return seen

    assert not [part for part in edges if part in reachable(part)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_optional_dependency_at_the_top_of_a_module(path):
    top = ast.Module(body=list(ast.parse(path.read_text()).body), type_ignores=[])
    for statement in top.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            assert not {name.split(".")[0] for name in imports(statement)} & OPTIONAL


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_reads_no_global_flag(path):
    if part_of(path) != "jobs":
        assert "absl.flags" not in set(imports(ast.parse(path.read_text())))
