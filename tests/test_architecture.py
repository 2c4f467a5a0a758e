"""Rules about the code as a whole, read from its syntax."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[1]
LIBRARY = ROOT / "remedis"
FILES = sorted(LIBRARY.rglob("*.py"))

# From top to bottom. A file imports from its own row and from the rows below it.
FLOORS = (
    ("cli",),
    ("api",),
    ("reporting",),
    ("conversion", "serving", "text", "mil", "suite"),
    ("label_budget",),
    ("finetuning", "pretraining"),
    ("inference",),
    ("training",),
    ("zoo", "data", "synthetic", "evaluation"),
    ("models", "preprocess"),
    (
        "compat",
        "csv_text",
        "errors",
        "extras",
        "files",
        "hdf5_files",
        "interruption",
        "invocation",
        "kernel_locks",
        "npz_files",
        "locks",
        "json_records",
        "keras_registration",
        "limits",
        "options",
        "parquet_files",
        "progress",
        "regular_files",
        "specifications",
        "visible_text",
        "writing",
        "__init__",
    ),
)
FLOOR = {name: -row for row, names in enumerate(FLOORS) for name in names}
# Rare packages are extras. They are imported where they are used.
OPTIONAL = {
    "apache_beam",
    "defusedxml",
    "faiss",
    "fastapi",
    "h11",
    "highdicom",
    "mlflow",
    "onnx",
    "onnxruntime",
    "openslide",
    "openvino",
    "prometheus_client",
    "pydicom",
    "python_multipart",
    "skimage",
    "sksurv",
    "starlette",
    "tensorflow_text",
    "tf2onnx",
    "tf_keras",
    "tifffile",
    "timm",
    "torch",
    "uvicorn",
    "zarr",
}


def module_of(path: pathlib.Path) -> str:
    """Returns the dotted name of a file, such as `remedis.zoo.names`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yields the full names of imported modules, and of the names imported from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path: pathlib.Path) -> set[str]:
    """Returns the modules of the library that a file imports, anywhere in it.

    Imports under `TYPE_CHECKING` and inside functions count.
    """
    modules = set()
    for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if name.partition(".")[0] == "remedis":
            modules.add(name if name in MODULES else name.rpartition(".")[0])
    return modules - {module_of(path)}


EDGES = {name: imported_modules(path) for name, path in MODULES.items()}
# The face of the package names the public API for type checkers, and loads it on first use.
PUBLIC = EDGES["remedis"] - {"remedis.errors", "remedis.keras_registration"}
EDGES["remedis"] -= PUBLIC


def floor(module: str) -> int:
    """Returns the height of a module; its package must stand in `FLOORS`."""
    return FLOOR[module.split(".")[1] if "." in module else "__init__"]


def by_file(function):
    return pytest.mark.parametrize("module", MODULES, ids=lambda name: name)(function)


@by_file
def test_imports_point_downwards(module):
    upward = {name for name in EDGES[module] if floor(name) > floor(module)}
    assert not upward, f"{module} imports from above: {sorted(upward)}"


def test_no_two_files_import_each_other_in_a_circle():
    # The face of a package hands names on; importing it is importing what it hands on.
    visited: set[str] = set()

    def circle_from(module: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if module in path:
            return (*path[path.index(module) :], module)
        if module in visited:
            return None
        for following in sorted(EDGES[module]):
            if found := circle_from(following, (*path, module)):
                return found
        visited.add(module)
        return None

    for module in MODULES:
        circle = circle_from(module, ())
        assert circle is None, " -> ".join(circle or ())


@by_file
def test_no_optional_dependency_at_the_top_of_a_module(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            optional = {name.partition(".")[0] for name in imports(statement)} & OPTIONAL
            assert not optional, f"{module} imports {sorted(optional)} at its top"


@by_file
def test_the_library_reads_no_global_flag(module):
    if floor(module) < FLOOR["cli"]:
        names = set(imports(ast.parse(MODULES[module].read_text(encoding="utf-8"))))
        assert not {name for name in names if name.startswith("absl.")}


@by_file
def test_the_library_logs_and_does_not_print(module):
    if floor(module) < FLOOR["cli"]:
        tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        printed = [f.lineno for f in calls if isinstance(f, ast.Name) and f.id == "print"]
        assert not printed, f"{module} prints at lines {printed}"


@by_file
def test_configs_end_at_the_edge(module):
    """A `ConfigDict` is turned into dataclasses in one file per job, and named nowhere else."""
    if floor(module) < FLOOR["cli"]:
        names = set(imports(ast.parse(MODULES[module].read_text(encoding="utf-8"))))
        if "ml_collections" in {name.partition(".")[0] for name in names}:
            assert module in EDGE, f"{module} takes a ConfigDict"


EDGE = {
    "remedis.api.config_files",
    "remedis.api.named_configs",
    "remedis.api.training_jobs",
    "remedis.finetuning.finetune",
    "remedis.finetuning.settings",
    "remedis.label_budget.run_study",
    "remedis.label_budget.settings",
    "remedis.pretraining.pretrain",
    "remedis.pretraining.settings",
    "remedis.suite.run_suite",
    "remedis.suite.settings",
}


def test_every_package_has_tests_of_its_own():
    packages = {path.parent.relative_to(LIBRARY) for path in FILES} - {pathlib.Path()}
    tests = ROOT / "tests"
    tested = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    tested |= {parent for folder in tested for parent in folder.parents}
    missing = {str(package) for package in packages if not {package, package.parent} & tested}
    assert not missing


# A source and the made-up data in its layout have the data set's name; the jobs have these three.
COMMON_NAMES = {"data", "rehearsal", "settings"}


def test_no_file_name_could_mean_two_files():
    sources = {path.stem for path in (LIBRARY / "data" / "sources").glob("*.py")}
    by_name: dict[str, list[str]] = {}
    for path in FILES:
        by_name.setdefault(path.stem, []).append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in by_name.items() if len(paths) > 1}
    assert not twice.keys() - sources - COMMON_NAMES - {"__init__"}, twice
