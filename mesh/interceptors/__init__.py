"""What surrounds every RPC of a server, one module each, in the order in which a call meets them.

telemetry -> errors -> limits -> deadline -> auth -> (the request is parsed) -> validation -> the servicer
"""
