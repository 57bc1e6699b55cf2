"""Models that are served elsewhere: by other inference workers of the mesh, or by OpenAI-compatible servers."""
