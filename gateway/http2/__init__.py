"""gRPC calls over plain HTTP/2 on the event loop alone: no threads, and the frames of all calls written together."""
