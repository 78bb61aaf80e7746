"""A self-hosted web app that makes videos with Wan2.2 on the GPU you own."""

__version__ = "0.1.0"
