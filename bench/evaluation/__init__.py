"""What the benchmark of evaluations runs beside itself: a model that takes a known time, as a process."""
