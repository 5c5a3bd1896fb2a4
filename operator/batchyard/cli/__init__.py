"""Commands for people: `batchyard` and, as a plug-in of kubectl, `kubectl batchyard`; one subcommand per file."""
