"""Training jobs as clients see them: requests, their state, logs and metrics, checkpoints and where those are served."""
