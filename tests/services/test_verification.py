"""What is made to verify a video: what its recipe says, placed as it was."""

from tests.values import PLAN, a_request
from wan22_app.domain.output import Recipe
from wan22_app.services.verification import placed


def test_what_rounds_is_taken_from_the_plan_and_nothing_else() -> None:
    """The plan of this machine may cut other tiles, and those blend otherwise."""
    request = a_request().model_copy(update={"may_reduce": True})
    plan = PLAN.placement.model_copy(
        update={
            "precision": "bf16",
            "vae_precision": "bf16",
            "tile": 96,
            "chunk": 512,
            "offload": "block",
        }
    )
    recipe = Recipe(
        demo=True, request=request, plan=plan, revision="r", latents_sha256="1" * 64,
        versions={}, device="cpu",
    )  # fmt: skip
    changed = {"precision": "bf16", "vae_precision": "bf16", "tile": 96, "chunk": 512,
               "may_reduce": False}  # fmt: skip
    assert placed(recipe) == request.model_copy(update=changed)
    whole = recipe.model_copy(update={"plan": plan.model_copy(update={"tile": None})})
    assert placed(whole).tile == "auto"
