"""Speed and accuracy measured beside a baseline in the same run; each file has ``run() -> dict``."""
