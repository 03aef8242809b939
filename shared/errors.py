"""Errors that a user may see: one message that says what to do, and an exit status."""

EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78


class PlumblineError(Exception):
    """Ends a process with its message on stderr and `exit_status`; never with a stack trace."""

    exit_status = 1


class ConfigurationError(PlumblineError):
    """Settings that can't be used. The message has a line for each: "VAR: what is wrong → how to fix it"."""

    exit_status = EXIT_CONFIGURATION


class Unavailable(PlumblineError):
    """A server that is needed doesn't answer."""

    exit_status = EXIT_UNAVAILABLE
