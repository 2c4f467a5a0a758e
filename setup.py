"""The package `remedis`; its dependencies' exact versions are in constraints.txt."""

import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "remedis/__init__.py").read_text())

EXTRAS = {
    "dicom": [
        "pydicom>=3.0",
        "pylibjpeg>=2.0",
        "pylibjpeg-libjpeg>=2.1",
        "pylibjpeg-openjpeg>=2.3",
        "pylibjpeg-rle>=2.0",
    ],
    "slides": ["defusedxml>=0.7", "openslide-bin>=4.0", "openslide-python>=1.4"],
}

setuptools.setup(
    name="remedis",
    version=VERSION[1] if VERSION else None,
    description="Foundation models for medical imaging: build, load, fine-tune, evaluate.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=setuptools.find_packages(include=["remedis", "remedis.*"]),
    package_data={"remedis": ["py.typed"], "remedis.reporting.ood_report": ["templates/*"]},
    entry_points={"console_scripts": ["remedis=remedis.cli:main"]},
    install_requires=[
        "absl-py>=2.1",
        "h5py>=3.11",
        "importlib-resources>=6",  # TensorFlow Datasets imports it without asking for it
        "jinja2>=3.1",
        "keras>=3.12",
        "markupsafe>=2.1",
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
        "threadpoolctl>=3.1",
    ],
    extras_require={
        **EXTRAS,
        "dev": [
            *EXTRAS["dicom"],
            *EXTRAS["slides"],
            "hypothesis>=6.100",
            "ipykernel>=6.29",
            "mypy>=1.11",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "pandas-stubs>=2.2",
            "pillow>=10",
            "pydicom-data>=1.0",
            "pytest>=8",
            "pytest-xdist>=3.7",
            "ruff>=0.6",
            "scikit-image>=0.24",
            "tifffile>=2024.1",
            "wheel",
        ],
    },
)
