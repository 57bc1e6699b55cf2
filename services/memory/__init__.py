"""The memory service: banks of documents that are searched by meaning, by words or by key."""
