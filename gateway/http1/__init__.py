"""The HTTP/1.1 server's side of connections, on the event loop alone; see https://www.rfc-editor.org/rfc/rfc9112."""
