"""One module for each port that touches the outside world."""
