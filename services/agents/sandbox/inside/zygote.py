"""The process that has everything imported and forks a warden for each connection that it is sent.

It runs nothing that it was sent. Its one argument is the number of a socket of the service: the plan comes first, then
a message of one byte with the descriptor of a connection for each call.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from services.agents.sandbox.inside import warden, wire
from services.agents.sandbox.inside.plan import NAMESPACES, Plan
from services.agents.sandbox.inside.walls import become


def main(descriptor: int) -> None:
    """Serve until the service goes away."""
    control = socket.socket(fileno=descriptor)
    message = wire.receive(control)
    if message is None:
        return
    plan = Plan(**message[0]["plan"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm()
    if plan.walls == NAMESPACES:
        become(plan.uid)
    # what is here already is never collected, so that the pages stay shared with all children
    gc.collect()
    gc.freeze()
    wire.send(control, {"problem": warden.ready(plan)})
    # wardens that are done leave nothing behind
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            return
        for connection in descriptors:
            with socket.socket(fileno=connection) as stream:
                warden.start(stream, plan)


def _warm() -> None:
    """Do once what the first use of a library does."""
    frame = pd.DataFrame({"x": np.arange(3), "y": np.arange(3) ** 2})
    frame.describe().to_string()
    figure, axes = plt.subplots()
    axes.plot(frame["x"], frame["y"], label="y")
    axes.set_title("t")
    axes.legend()
    with open(os.devnull, "wb") as nowhere:
        figure.savefig(nowhere, format="png")
    plt.close(figure)


if __name__ == "__main__":
    main(int(sys.argv[1]))
