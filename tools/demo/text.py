"""Stage one: the text encoder learns what a prompt says.

A head that is thrown away afterwards asks the encoded words for each object's colour, shape and
motion, and for the background. Synonyms, word order and filler are understood before the first
picture is drawn, which spares the transformers most of their work on language.
"""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

from tools.demo.language import Told, choices, tell
from tools.demo.networks import TEXT_WIDTH
from tools.demo.scenes import BACKGROUNDS, COLOURS, MOTIONS, SHAPES, draw_scene
from tools.demo.training import Stage, Workshop, train

KINDS: tuple[tuple[str, ...], ...] = (tuple(COLOURS), SHAPES, MOTIONS)
QUESTIONS = (*KINDS, *KINDS, BACKGROUNDS)
"""What is asked, in order: three facts of each object in the order told, and the background."""
BATCH = 128
FOLDED = 48
"""Tokens of a text in training: the longest prompt has some 35."""


class Reader(nn.Module):
    """Answers the questions from encoded words, with one learned query for each."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(QUESTIONS), TEXT_WIDTH) * 0.5)
        self.attention = nn.MultiheadAttention(TEXT_WIDTH, 4, batch_first=True)
        self.answers = nn.ModuleList(nn.Linear(TEXT_WIDTH, len(kind) + 1) for kind in QUESTIONS)

    def forward(self, words: torch.Tensor, padding: torch.Tensor) -> list[torch.Tensor]:
        """Scores ``[B, choices + 1]`` for each question; the last choice is "not said"."""
        queries = self.queries.expand(len(words), -1, -1)
        found, _ = self.attention(queries, words, words, key_padding_mask=padding)
        return [answer(found[:, index]) for index, answer in enumerate(self.answers)]


class Understanding(nn.Module):
    """Text encoder and reader, trained as one."""

    def __init__(self, encoder: UMT5EncoderModel) -> None:
        super().__init__()
        self.encoder, self.reader = encoder, Reader()


def embed(
    tokenizer: PreTrainedTokenizerFast, encoder: UMT5EncoderModel, prompts: list[str]
) -> torch.Tensor:
    """Encoded prompts ``[B, 48, 64]``, zero behind their last token, as Wan's pipelines do.

    The last place is always padding and stands for all that would follow: ``FoldedPadding`` makes
    up for it. Raises ValueError when a prompt leaves no place for that.
    """
    read = _tokens(tokenizer, prompts).to(encoder.device)
    words = encoder(read["input_ids"], read["attention_mask"]).last_hidden_state
    return words * read["attention_mask"][..., None]


def train_text(
    workshop: Workshop, tokenizer: PreTrainedTokenizerFast, encoder: UMT5EncoderModel, steps: int
) -> None:
    """Train the encoder in place; says how many answers are right on fresh prompts."""
    with torch.no_grad():
        encoder.shared.weight.normal_(std=1.0)
    both: Any = Understanding(encoder).to(encoder.device)
    right = [0.0]

    def loss(step: int, chance: Any) -> torch.Tensor:
        prompts, told = zip(*(tell(chance, draw_scene(chance, 128, 128, pair=0.5))
                              for _ in range(BATCH)), strict=True)  # fmt: skip
        read = _tokens(tokenizer, list(prompts)).to(encoder.device)
        words = encoder(read["input_ids"], read["attention_mask"]).last_hidden_state
        scores = both.reader(words, read["attention_mask"] == 0)
        wanted = torch.tensor([_answers(one) for one in told], device=encoder.device).T
        hits = [(score.argmax(1) == want) for score, want in zip(scores, wanted, strict=True)]
        right[0] = float(torch.stack(hits).float().mean())
        parts = [nn.functional.cross_entropy(score, want)
                 for score, want in zip(scores, wanted, strict=True)]  # fmt: skip
        # Large outputs would need large keys in every block that reads them.
        return torch.stack(parts).mean() + 1e-4 * words.square().mean()

    def look(step: int) -> None:
        workshop.say(f"text: {right[0]:.1%} of the answers right")

    train(workshop, Stage("text", steps, 2e-3, smoothing=0.99), both, loss, look)
    encoder.eval().requires_grad_(False)


def _tokens(tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> Any:
    read: Any = tokenizer(prompts, padding="max_length", max_length=FOLDED, return_tensors="pt")
    if read["attention_mask"].shape[1] > FOLDED or read["attention_mask"][:, -1].any():
        raise ValueError(f"a prompt is longer than {FOLDED - 1} tokens")
    return read


def _answers(told: Told) -> list[int]:
    facts = [*choices(told, 0), *choices(told, 1), told.background]
    return [kind.index(fact) if fact else len(kind)
            for kind, fact in zip(QUESTIONS, facts, strict=True)]  # fmt: skip
