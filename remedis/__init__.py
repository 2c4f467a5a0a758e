"""Foundation models for medical imaging: build, load, fine-tune, evaluate.

Research software. Nothing it makes is a diagnostic device.
"""

__version__ = "0.2.0"
