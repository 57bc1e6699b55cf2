"""What surrounds every RPC of a server, one module each, in the order in which a call meets them.

telemetry -> errors -> audit -> limits -> deadline -> auth -> quota -> (parsing) -> validation -> the servicer
"""
