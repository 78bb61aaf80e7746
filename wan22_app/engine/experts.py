"""Who predicts at which step: all transformers stay, or each is read in its turn."""

from typing import Any

from wan22_app.domain.work import Work
from wan22_app.engine.attention import use
from wan22_app.engine.loading import Loaded
from wan22_app.engine.loras import Expert, fit
from wan22_app.engine.placement import give_back
from wan22_app.engine.progress import Progress
from wan22_app.engine.source import EXPERTS


class Experts:
    """The transformers of one run, with its LoRAs; those of a warm pipeline stay for the next.

    Where the plan keeps one part at a time, the expert at work lies in the pipeline's place for the
    first, and gives way before the next is read: both never lie in memory together.
    """

    def __init__(self, loaded: Loaded, pipeline: Any, work: Work, progress: Progress):
        self._loaded = loaded
        self._pipeline = pipeline
        self._work = work
        self._progress = progress
        self._alone = work.plan.keep == "one"
        self._now: Expert | None = None

    def __enter__(self) -> "Experts":
        if not self._alone:
            self._fit({"high": "transformer", "low": "transformer_2"})
        return self

    def __exit__(self, *error: object) -> None:
        self._give_way()

    def at(self, name: Expert) -> Any:
        """The transformer for these noise levels, there and placed."""
        if not self._alone:
            return getattr(self._pipeline, EXPERTS[name == "low"])
        if self._now != name:
            self._give_way()
            with self._progress.loading():
                self._loaded.bring(EXPERTS[name == "low"], self._work.plan)
            self._now = name
            self._fit({name: "transformer"})
        return self._pipeline.transformer

    def _fit(self, targets: dict[Expert, str]) -> None:
        work = self._work
        for place in targets.values():
            if (transformer := getattr(self._pipeline, place, None)) is not None:
                use(transformer, work.plan.attention)
        fit(self._pipeline, targets, work.request.loras, work.loras)

    def _give_way(self) -> None:
        if self._now is not None:
            self._now = None
            self._loaded.put("transformer", None)
            give_back()
