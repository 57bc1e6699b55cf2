"""The implementations of :class:`services.inference.engine.Engine`. Each owns the heavy packages that it imports."""
