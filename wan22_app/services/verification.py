"""Whether a video is what its recipe says: it is made again, and the pictures are compared."""

from collections.abc import Sequence
from pathlib import Path

from wan22_app.domain.account import Person
from wan22_app.domain.comparison import Comparison
from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import Job
from wan22_app.domain.output import Recipe
from wan22_app.ports import Videos
from wan22_app.ports.queue import NewJob
from wan22_app.services.gallery import Gallery
from wan22_app.services.recipes import Recipes
from wan22_app.services.submission import Submission

TOLD = "Queued to verify a video."


class Verification:
    """Reads a recipe, makes it again through the queue, and compares."""

    def __init__(self, recipes: Recipes, videos: Videos, submission: Submission, gallery: Gallery):
        self._recipes = recipes
        self._videos = videos
        self._submission = submission
        self._gallery = gallery

    def recipe(self, path: Path) -> Recipe:
        """The recipe in a video on this machine. Raises InvalidRequest where there is none."""
        found = self._videos.recipe(path)
        if found is None:
            raise InvalidRequest(
                Problem(
                    code="video_no_recipe",
                    what=f"There is no recipe in {path}.",
                    cause="Only videos made here carry one, and some programs remove it.",
                    cure="Name an mp4 that was made here.",
                )
            )
        return found

    def differences(self, recipe: Recipe) -> Sequence[Problem]:
        """What is otherwise here, and may make another video."""
        return self._recipes.differences(recipe)

    def make(self, person: Person, recipe: Recipe, key: str) -> Job:
        """Queue what the recipe says, placed as it was. Raises UserError where that cannot run."""
        return self._submission.enqueue(person, NewJob(request=placed(recipe), key=key, told=TOLD))

    def compare(self, person: Person, job: Job, path: Path) -> Comparison:
        """The video against the one that a finished job has made. Raises UserError."""
        return self._videos.compare(path, self._gallery.path(person, job.id, "video"))


def placed(recipe: Recipe) -> GenerationRequest:
    """The request with the placement that was chosen for it then: tiles blend, types and chunks
    round.

    The place where it computes is this machine's own, and memory that runs out is no reason to
    make another video.
    """
    plan = recipe.plan
    return recipe.request.model_copy(
        update={
            "precision": plan.precision,
            "vae_precision": plan.vae_precision,
            "quantization": plan.quantization,
            "text_quantization": plan.text_quantization,
            "chunk": plan.chunk,
            "tile": "auto" if plan.tile is None else plan.tile,
            "may_reduce": False,
        }
    )
