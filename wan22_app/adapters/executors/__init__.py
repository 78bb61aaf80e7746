"""Where runs happen: processes on this machine."""
