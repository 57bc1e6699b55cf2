"""The deployables of the mesh. No service imports another; they meet over gRPC alone."""
