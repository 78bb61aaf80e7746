"""The engine of the app films prompts, and what is to be seen is measured in the mp4's frames."""

from tests.engine.conftest import engine, generate, pack, picture, work
from tests.semantics.filming import film

__all__ = ["engine", "film", "generate", "pack", "picture", "work"]
