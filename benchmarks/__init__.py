"""Speed and memory, reported as ratios within one run; never asserted."""
