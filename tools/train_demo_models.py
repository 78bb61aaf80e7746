"""``python -m tools.train_demo_models``: make the demo checkpoints from nothing.

No download: the clips are drawn by arithmetic. Everything is seeded, and can be stopped and started
again at any time; a stage that is done is not done again. Sample sheets lie in the work folder.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from tools.demo.making import Making
from tools.demo.training import Workshop

SEED = 20_261_124


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is not done yet and write the checkpoints."""
    parser = argparse.ArgumentParser(prog="tools.train_demo_models", description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=Path("data/demo-training"), help="folder of what is half done"
    )
    # Not the app's own folder: what lies here counts as trained, and random weights lie there.
    parser.add_argument("--models", type=Path, default=Path("data/demo-training/models"))
    parser.add_argument("--loras", type=Path, default=Path("loras"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--device", default="cpu", help="of the networks: cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--effort", type=float, default=1.0, help="share of the usual steps; below 1 to try it out"
    )
    parser.add_argument("--only", nargs="+", choices=Making.PRODUCTS, default=Making.PRODUCTS)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(options.work, options.seed, say)
    making = Making(workshop, options.models, options.loras, options.effort, options.device)
    for product in options.only:
        getattr(making, product)()
    return 0


def say(line: str) -> None:
    """One line with the time."""
    sys.stdout.write(f"{datetime.now():%H:%M:%S} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
