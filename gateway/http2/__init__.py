"""gRPC calls over plain HTTP/2 on the event loop alone: no threads, and frames of all calls written and read together."""
