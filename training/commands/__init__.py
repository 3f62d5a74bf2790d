"""The `hilum` subcommands of the training half; each imports what it needs when it runs."""
