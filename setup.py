"""The package `remedis`; its dependencies' exact versions are in constraints.txt."""

import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "remedis/__init__.py").read_text())

setuptools.setup(
    name="remedis",
    version=VERSION[1] if VERSION else None,
    description="Foundation models for medical imaging: build, load, fine-tune, evaluate.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=setuptools.find_packages(include=["remedis", "remedis.*"]),
    package_data={"remedis": ["py.typed"]},
    entry_points={"console_scripts": ["remedis=remedis.cli:main"]},
    install_requires=[
        "absl-py>=2.1",
        "keras>=3.12",
        "matplotlib>=3.9",
        "ml-collections>=1.0",
        "numpy>=2.0",
        "pandas>=2.2",
        "pyarrow>=17",
        "rich>=13",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "setuptools<81",  # TensorFlow Hub imports pkg_resources, which later versions lack
        "tensorboard>=2.18",
        "tensorflow>=2.18",
        "tensorflow-datasets>=4.9.7",
        "tensorflow-hub>=0.16.1",
    ],
    extras_require={
        "dev": [
            "ipykernel>=6.29",
            "mypy>=1.11",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "pandas-stubs>=2.2",
            "pillow>=10",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "wheel",
        ],
    },
)
