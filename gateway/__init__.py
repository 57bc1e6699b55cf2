"""The REST side of the mesh: HTTP in, gRPC out, generated from the contracts alone."""
