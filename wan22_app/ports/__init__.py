"""What services need from the outside world. Adapters implement these; services know only these."""

from wan22_app.ports.library import Images, Library
from wan22_app.ports.machine import Clock, FigureStore, Probe, Secrets
from wan22_app.ports.outputs import (
    ExperienceStore,
    LatentFiles,
    OutputFiles,
    OutputStore,
    Preview,
    Published,
    VideoFacts,
    Videos,
)
from wan22_app.ports.preferences import PresetStore, SettingStore
from wan22_app.ports.queue import Bell, JobStore, NewJob, Revision, UsageStore
from wan22_app.ports.runs import Executor, Run
from wan22_app.ports.weights import DownloadStore, Fetch, Fetcher, Hub, HubTrouble, IncomingWeights

__all__ = [
    "Bell",
    "Clock",
    "DownloadStore",
    "Executor",
    "ExperienceStore",
    "Fetch",
    "Fetcher",
    "FigureStore",
    "Hub",
    "HubTrouble",
    "Images",
    "IncomingWeights",
    "JobStore",
    "LatentFiles",
    "Library",
    "NewJob",
    "OutputFiles",
    "OutputStore",
    "PresetStore",
    "Preview",
    "Probe",
    "Published",
    "Revision",
    "Run",
    "Secrets",
    "SettingStore",
    "UsageStore",
    "VideoFacts",
    "Videos",
]
