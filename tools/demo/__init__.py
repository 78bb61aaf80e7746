"""The demo checkpoints: what they can draw, how they are trained, how they are measured."""
