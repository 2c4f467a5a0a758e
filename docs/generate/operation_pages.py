"""The page on preprocessing operations and recipes, with a picture of each."""

import ast
import inspect
import re
from typing import Any

from docs.generate import docstrings, markdown, operation_pictures
from remedis.preprocess import recipes, registry
from remedis.reporting import contact_sheet
from remedis.specifications import piped

# Modules of operations in the order of the page, and the titles of their sections.
SECTIONS = {
    "geometry": "Geometry",
    "deformation": "Deformation",
    "colour": "Colour and brightness",
    "grey_levels": "Grey levels",
    "blur": "Blur",
    "masking": "Masking",
    "pathology": "Stains",
    "released": "As in the released code",
}
PATH = "reference/operations"


def pages() -> dict[str, str | bytes]:
    """Returns the page and its pictures."""
    text, pictures = [INTRODUCTION], {}
    examples = example_by_operation()
    for module, title in SECTIONS.items():
        text.append(f"## {title}")
        for name in operations(module):
            text += operation(name, examples[name])
            images = [operation_pictures.patch()]
            if module != "pathology":
                images.insert(0, operation_pictures.radiograph())
            picture = operation_pictures.of_operation(examples[name], images)
            pictures[f"{PATH}/{name}.webp"] = picture
    text += ["## Recipes", RECIPES]
    for name in recipes.names():
        specification = recipes.expanded(name)
        text += recipe(name, specification)
        pictured = (
            operation_pictures.patch if _is_of_patches(name) else operation_pictures.radiograph
        )
        pictures[f"{PATH}/{name}.webp"] = operation_pictures.of_recipe(specification, pictured())
    page = "\n\n".join(part.strip() for part in text) + "\n"
    return {f"{PATH}.md": page, **pictures}


def _is_of_patches(name: str) -> bool:
    return "pathology" in name


def operations(module: str) -> list[str]:
    """Returns the operations of a module, in the order of their definition.

    Raises:
      ValueError: an operation is in a module that the page has no section for.
    """
    found: dict[str, list[str]] = {name: [] for name in SECTIONS}
    for name in registry.names():
        home = registry.get(name).__module__.rpartition(".")[2]
        if home not in found:
            raise ValueError(
                f"The operation {name!r} is in the module {home!r}, which the documentation has no "
                "section for; add it to SECTIONS in docs/generate/operation_pages.py."
            )
        found[home].append(name)
    return sorted(found[module], key=lambda name: registry.get(name).__code__.co_firstlineno)


def example_by_operation() -> dict[str, str]:
    """Returns the example of each operation, that of the contact sheet.

    Raises:
      ValueError: an operation has no example.
    """
    found: dict[str, str] = {}
    for example in contact_sheet.EXAMPLES:
        for name in steps(example):
            found.setdefault(name, example)
    if missing := set(registry.names()) - set(found):
        raise ValueError(
            f"The operation {sorted(missing)[0]!r} has no example; add one to EXAMPLES in "
            "remedis/reporting/contact_sheet.py."
        )
    return found


def steps(specification: str) -> list[str]:
    """Returns the names of the operations of a specification, without tracing them."""
    return [ast.unparse(node).partition("(")[0] for node in piped(specification)]


def operation(name: str, example: str) -> list[str]:
    """Returns the section on an operation: signature, meaning, arguments, picture.

    Raises:
      ValueError: an argument has no meaning.
    """
    function = registry.get(name)
    meanings = docstrings.arguments(function)
    rows = []
    for parameter in arguments(function):
        if parameter.name not in meanings:
            raise ValueError(
                f"The argument {parameter.name!r} of the operation {name!r} has no meaning; write "
                f"it, with its range, under 'Args:' in the docstring of {function.__module__}."
                f"{name}."
            )
        needed = parameter.default is parameter.empty
        default = "needed" if needed else f"`{_shown(parameter.default)}`"
        rows.append((f"`{parameter.name}`", default, meanings[parameter.name]))
    is_random = "seed" in inspect.signature(function).parameters
    summary, body = description(function)
    changes = summary[:1].lower() + summary[1:].rstrip(".")
    alt = f"Made-up images before and after {example}: {changes}".replace("`", "")
    return [
        f"### {name}",
        markdown.fence(f"{name}({', '.join(map(_parameter, arguments(function)))})"),
        f"{summary} {'Random: a draw per image and epoch.' if is_random else 'Not random.'}",
        markdown.with_links(markdown.prose(body)) if body else "",
        markdown.table(("argument", "default", "meaning"), rows) if rows else "",
        f"![{alt}](operations/{name}.webp)",
        f"Example: `{example}`. Source: `{function.__module__.replace('.', '/')}.py`.",
    ]


def description(function: Any) -> tuple[str, str]:
    """Returns the first paragraph of a docstring in one line, and the rest before its sections."""
    text = re.split(r"^(?:Args|Returns|Raises):$", inspect.getdoc(function) or "", flags=re.M)[0]
    summary, _, body = text.strip().partition("\n\n")
    return " ".join(summary.split()), body


def arguments(function: Any) -> list[inspect.Parameter]:
    """Returns the parameters of an operation that a specification sets."""
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.name not in ("image", "seed")]


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={_shown(parameter.default)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def recipe(name: str, specification: str) -> list[str]:
    """Returns the section on a recipe: its chain, its reasons and a picture after each step."""
    function = recipes.get(name)
    size = inspect.signature(function).parameters["size"].default
    chain = specification.replace(" | ", " |\n")
    summary, body = description(function)
    image = "patch" if _is_of_patches(name) else "radiograph"
    listed = ", ".join(steps(specification))
    alt = f"A made-up {image} before the recipe {name} and after each of its steps: {listed}"
    return [
        f"### {name}",
        summary.replace("Returns our", "Our").replace("Returns the", "The"),
        f"`{name}({size})` stands for",
        markdown.fence(chain),
        markdown.with_links(markdown.prose(body)) if body else "",
        f"![{alt}](operations/{name}.webp)",
    ]


INTRODUCTION = """# Image operations

Preprocessing is text: operations in their order, with arguments, separated by bars. A config names
it in `train_preprocess` and `eval_preprocess`, where `{size}` stands for `config.image_size`.

```sh
remedis augmentations radiograph.png --out=sheet.png --preprocess='resize(224) | rotate(10)'
```

The command draws every operation, or the steps of one text, on an image of yours. The pictures here
are drawn in the same way, on images that a program makes up.

An image is [H, W, 3] in [0, 1]. A random operation draws again for every image and epoch, from the
seed of the run alone. Evaluation takes only operations that are not random. Other arguments than
those in the tables are refused when the text is read, before any work.
"""

RECIPES = """A recipe stands for a chain of operations, such as `finetune_cxr(448)`; its argument is
the size of the result in pixels. It may stand among operations. The recipes named `released_` have
the operations and constants of the code released with REMEDIS; the others are ours, with the
reasons below. Each picture shows an image before the recipe and after each step, for two draws if
the recipe is random. A step with a probability may leave the image as it is.
"""
