"""The page on operations: every operation and argument, ranges as the code has them, pictures."""

import inspect
import io
import re

import pytest
from PIL import Image

from docs.generate import docstrings, operation_pages, operation_pictures
from remedis.errors import UserError
from remedis.preprocess import parse, recipes, registry

# The end of a meaning: "0 to 1.", "each 0 to 1.", "above 0, to 1." or "1 or more."
RANGE = re.compile(r"(each |above |)(\d[\d.]*)(?:,? to (\d[\d.]*)| or more)\.$")
WITHOUT_RANGE = ("method", "clip")


@pytest.fixture(scope="module")
def page():
    patch = pytest.MonkeyPatch()
    for name in ("of_operation", "of_recipe"):
        patch.setattr(operation_pictures, name, lambda *arguments: b"")
    made = operation_pages.pages()
    patch.undo()
    return made


def test_every_operation_and_recipe_has_a_section_and_a_picture(page):
    text = page["reference/operations.md"]
    for name in (*registry.names(), *recipes.names()):
        assert f"\n### {name}\n" in text
        (alt,) = re.findall(rf"^!\[(.+)\]\(operations/{name}\.webp\)$", text, re.MULTILINE)
        assert name in alt
        assert f"reference/operations/{name}.webp" in page
    assert len(page) == 1 + len(registry.names()) + len(recipes.names())


def written(name: str, argument: str, value: object) -> str:
    """Returns an operation with one argument set, and others where they are needed."""
    needed = {"size": 64, "alpha": 100, "sigma": 10, "degrees": 10, "strength": 0.5}
    values = {
        parameter.name: needed[parameter.name]
        for parameter in operation_pages.arguments(registry.get(name))
        if parameter.default is parameter.empty
    } | {argument: value}
    return f"{name}({', '.join(f'{key}={one!r}' for key, one in values.items())})"


@pytest.mark.parametrize("name", registry.names())
def test_arguments_have_meanings_and_the_ranges_of_the_code(name):
    function = registry.get(name)
    meanings = docstrings.arguments(function)
    assert set(meanings) == set(inspect.signature(function).parameters)
    for argument in operation_pages.arguments(function):
        if argument.name in WITHOUT_RANGE:
            continue
        kind, low, high = RANGE.search(meanings[argument.name]).groups()
        number = int if argument.name == "size" else float
        step = 1 if number is int else 0.001
        least = number(low)
        refused = [least if kind == "above " else least - step]
        accepted = [] if kind == "above " else [least]
        if high is not None:
            refused.append(number(high) + step)
            accepted.append(number(high))
        for value in refused:
            text = written(name, argument.name, pair(value, least) if kind == "each " else value)
            with pytest.raises(UserError, match=f"wrong arguments of {name}"):
                parse(text)
        for value in accepted:
            parse(written(name, argument.name, pair(value, least) if kind == "each " else value))


def pair(value: float, least: float) -> tuple[float, ...]:
    return tuple(sorted((value, least)))


def test_pictures_are_small_and_the_same_every_time():
    images = [operation_pictures.radiograph(), operation_pictures.patch()]
    first = operation_pictures.of_operation("hue(0.2)", images)
    assert first == operation_pictures.of_operation("hue(0.2)", images)
    assert len(first) < operation_pictures.LARGEST_FILE
    # Hue changes the patch alone: one row of the original and three draws.
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.width > 2 * picture.height
    chain = operation_pictures.of_recipe(
        "resize(64) | flip_left_right(1)", operation_pictures.patch()
    )
    with Image.open(io.BytesIO(chain)) as picture:
        assert picture.format == "WEBP"


@pytest.mark.guarantee
def test_every_picture_is_small():
    for path, content in operation_pages.pages().items():
        assert not path.endswith(".webp") or len(content) < operation_pictures.LARGEST_FILE, path


def test_an_argument_without_a_meaning_is_an_error(monkeypatch):
    def smear(image, width: int = 3):
        """Smears."""
        return image

    monkeypatch.setitem(registry._OPERATIONS, "smear", smear)
    with pytest.raises(ValueError, match="'width' of the operation 'smear' has no meaning; write"):
        operation_pages.operation("smear", "smear()")
    with pytest.raises(ValueError, match="'smear' has no example; add one to EXAMPLES"):
        operation_pages.example_by_operation()
    with pytest.raises(ValueError, match="'smear' is in the module 'test_operation_pages'"):
        operation_pages.operations("colour")
