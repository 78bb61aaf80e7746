"""Queue & Stats."""

RUNNING = "Running"
WAITING = "Waiting"
ENDED = "Ended"
PAUSE = "Pause"
RESUME = "Resume"
PAUSE_QUEUE = "Pause the queue"
RESUME_QUEUE = "Resume the queue"
QUEUE_PAUSED = "The queue is paused: what runs goes on, nothing new starts."
DRAINING = "The queue drains for an upgrade: what runs is finished, nothing new starts."
DRAINING_CURE = "Waiting jobs are kept. They go on when the app or wan22 dispatch is started again."
NO_SPACE = "The queue waits: finished videos have no room, or their folder cannot be written."
NO_SPACE_CURE = (
    "Empty the bin on Outputs or make room on the disk; wan22 doctor says what is amiss. "
    "Nothing is lost, and it goes on by itself."
)
PAUSED = "Paused"
RESUMED = "Resumed"
MOVE_FIRST = "Move to the front"
MOVE_UP = "Move up"
MOVE_DOWN = "Move down"
GRIP = "Drag to another place"
STORY = "What happened"
JOB = "Job {id}"
JOB_OF = "Job {id}, another try of {parent}"
TRY_WITH = "Try again with "
DECODE_AGAIN = "Decode again"
DECODE_AGAIN_HINT = "What it had denoised is still here: only the decoding is done again."
REDUCED = "Made with {change}, as you allowed: memory had run out."
MORE = "Show more"
SHOW = "Show"
FILTERS = {
    "all": "All",
    "succeeded": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "quarantined": "Set aside",
}
OPEN_ENDED = "Open in Outputs"
NOTHING_OF_KIND = "None of this kind."
STARTS_ABOUT = "starts about {time}"
STARTS_SOON = "starts within a minute"
LAST_HOUR = "Last hour"
CPU = "Processor"
RAM = "Main memory"
GPU = "Card"
VRAM = "Card memory"
DISK = "Disk of the videos"
NOT_TOLD = "not told by this machine"
NO_FIGURES = "The first figures arrive in a few seconds."
OLD_FIGURES = "No new figures for a while: the queue's process may be starting."
SHARE = "{used:.1f} of {total:.1f} GB"
TIMES = ("60 min ago", "45", "30", "15", "now")
JOB_SPANS = "Shaded: a job was at work."
QUEUE_EMPTY = "Nothing waits and nothing runs."
NOTHING_WAITS = "Nothing waits behind it."
ENDED_EMPTY = "Nothing has ended yet."
