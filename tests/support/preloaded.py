"""Starts `hilum` commands in copies of a process that has imported torch, which takes seconds each time.

Started as `python -m tests.support.preloaded SOCKET`. Every connection asks for one command: a JSON object
with its arguments and its environment, and the files that take what it prints. The answers are its process
id, and, once it has ended, its exit status. A command has what it has in a new process: memory, environment
and signals of its own. ONNX Runtime is not imported before: it starts a thread, which a copy does not have.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path

MODULES = (
    "training.evaluate.run",
    "training.explain.run",
    "training.explain.sanity",
    "training.report.run",
    "training.study.paper.report",
    "training.study.run",
    "training.train.tuning",
)
"""What commands import when they are called."""


def serve(path: str) -> list[str] | None:
    """Start what is asked for until standard input closes.

    Returns:
        In a copy of this process the arguments of its command; in this process, at the end, None.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    return _start(connection)
    return None


def _start(connection: socket.socket) -> list[str]:
    """Run one command in a child, tell how it ends, and end; return in the child."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    pid = os.fork()
    if pid:
        connection.sendall(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    request = json.loads(message)
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # the folder of the environment that was
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    arguments: list[str] = request["arguments"]
    return arguments


if __name__ == "__main__":
    for module in MODULES:
        import_module(module)
    assert threading.active_count() == 1, threading.enumerate()
    assert "onnxruntime" not in sys.modules
    gc.freeze()
    command = serve(sys.argv[1])
    if command is not None:
        from hilum.cli import main

        sys.argv = ["hilum", *command]
        main()
