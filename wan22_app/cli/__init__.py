"""The command line: ``wan22 run | dispatch | generate | models | backup | migrate | doctor``."""

from wan22_app.cli.parser import main

__all__ = ["main"]
