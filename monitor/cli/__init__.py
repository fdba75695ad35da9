"""The command line: `app` puts it together, and each other file has the commands about one thing."""
