"""What the benchmark of turns runs beside itself: the model and the service, as processes."""
