"""The gRPC service config of the mesh's clients: balancing, health, and retries where a contract allows them.

https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto in its JSON form.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from mesh.methods import repeatable


@cache
def service_config(max_attempts: int) -> str:
    """Return the service config as JSON.

    RPCs whose contract says NO_SIDE_EFFECTS or IDEMPOTENT are tried up to ``max_attempts`` times (1 for no retries)
    when the callee is UNAVAILABLE; nothing else ever is. Throttling stops retries once about a tenth of the calls
    fail, so that they can't bury a service that is in trouble. Replicas that say NOT_SERVING get no calls.
    """
    config: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
    }
    if max_attempts > 1:
        config["methodConfig"] = [
            {
                "name": [{"service": service, "method": method} for service, method in repeatable()],
                "retryPolicy": {
                    "maxAttempts": max_attempts,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
        config["retryThrottling"] = {"maxTokens": 100, "tokenRatio": 0.1}
    return json.dumps(config)
