"""How an identity is proved: API keys and JWTs at the edge, signed identities or certificates between services."""
