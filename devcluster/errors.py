"""What may stop a command: one sentence for people, with the fix in it."""


class SetupError(Exception):
    """The machine lacks something; the message says what, and what to do about it."""
