"""The ``agentauri`` command, a module a command; nothing heavy is imported before a command needs it."""

import signal


def main() -> None:
    """The command's entry. Until the first import is through, Ctrl-C ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from agentauri.cli.main import run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
